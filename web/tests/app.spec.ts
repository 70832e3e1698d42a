import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { expect, ORDERS, test } from './demo';
import { places, reset, settled } from './places';
import { comesIn, faults, pick, sideways } from './steps';

test.describe.configure({ mode: 'serial' });

test('the link of the demo signs in, and orders flow on screen without a reload', async ({ page, demo }) => {
  await page.goto(await demo.link());
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible();
  await page.getByRole('link', { name: 'Orders', exact: true }).click();
  const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
  await expect(rows.first()).toBeVisible({ timeout: 60_000 });
  // Whatever comes from here on comes without anybody asking for it.
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  await expect(rows).toHaveCount(ORDERS, { timeout: 60_000 });
  await expect(rows.filter({ hasText: 'Closed' })).toHaveCount(ORDERS, { timeout: 90_000 });
  expect(await page.evaluate(() => 'stayed' in window)).toBe(true);
});

test('the link signs in once; from then on it fills in the form', async ({ page, demo }) => {
  const taken = page.waitForResponse((answer) => answer.url().endsWith('/sign-in/demo'));
  await page.goto(await demo.link());
  expect((await taken).status()).toBe(404);
  await expect(page.getByLabel('E-mail address')).toHaveValue(demo.person);
  await expect(page.getByRole('textbox', { name: 'Password' })).toHaveValue(demo.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible();
});

test('whoever signs out while nobody answers is told so, and leaves nothing on the screen', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.route('**/api/v1/session', (route) => (route.request().method() === 'DELETE' ? route.abort() : route.continue()));
  await page.getByRole('button', { name: 'You' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByText('Millrace did not answer, so your session is not over there')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
});

test('search and filters stand in the address, and a view brings them back', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/orders`);
  await page.getByLabel('Search').fill('100007');
  const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
  await expect(rows).toHaveCount(1);
  await expect(page).toHaveURL(/text=/);
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: /Save what is shown/ }).click();
  await page.getByLabel('Name').fill('That one');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await expect(rows).toHaveCount(ORDERS);
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: 'That one', exact: true }).click();
  await expect(rows).toHaveCount(1);
});

test('a list is exported as it is filtered, and what the file leaves aside is said', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/orders`);
  const take = page.getByRole('link', { name: 'Export orders (CSV)', exact: true });
  await expect(take).toHaveAccessibleDescription('All of them, archived ones too');
  await page.goto(`${demo.base}/orders?text=100007&state=closed`);
  const comes = page.waitForEvent('download');
  await expect(take).toHaveAccessibleDescription('All that the filters find');
  await take.click();
  const file = await comes;
  expect(file.suggestedFilename()).toBe('orders.csv');
  const lines = (await readFile(await file.path(), 'utf8')).trim().split('\r\n');
  expect(lines.length, lines.join('\n')).toBe(2);
  expect(lines[1]).toContain('100007');
  await expect(page.getByText('Your browser fetches orders.csv')).toBeVisible();
  await page.goto(`${demo.base}/activity?state=applied`);
  await expect(page.getByRole('link', { name: 'Export changes (CSV)', exact: true })).toHaveAccessibleDescription(
    'All of them, whatever the filters say',
  );
});

test('the columns of a list are chosen, and stay chosen', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/orders`);
  const head = page.getByRole('table', { name: 'Orders' }).getByRole('columnheader');
  const titles = ['Order', 'State', 'Why', 'Reference', 'Ship to', 'Connection', 'Placed'];
  await expect(head.filter({ hasText: /./ })).toHaveText(titles);
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('checkbox', { name: 'Merchant' }).check();
  await page.getByRole('checkbox', { name: 'Reference' }).uncheck();
  await page.keyboard.press('Escape');
  const chosen = ['Order', 'State', 'Why', 'Ship to', 'Connection', 'Placed', 'Merchant'];
  await expect(head.filter({ hasText: /./ })).toHaveText(chosen);
  await page.reload();
  await expect(head.filter({ hasText: /./ })).toHaveText(chosen);
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('menuitem', { name: 'As they were' }).click();
  await expect(head.filter({ hasText: /./ })).toHaveText(titles);
});

test('shipments that need a person are found, and tried again together', async ({ page, demo }) => {
  await demo.signIn(page);
  const { items } = await demo.api<{ items: Record<string, unknown>[] }>('GET', '/shipments?limit=3');
  const stopped = items.map((one, place) => ({ ...one, problem: place < 2 ? 'the goods-out note is gone' : undefined }));
  await page.route('**/api/v1/shipments?*', (route) => {
    const asked = new URL(route.request().url()).searchParams;
    return route.fulfill({ json: { items: asked.get('needs_person') === 'true' ? stopped : [] } });
  });
  await page.goto(`${demo.base}/shipments`);
  await pick(page, 'Brightpearl', 'Needs a person');
  const rows = page.getByRole('table', { name: 'Shipments' }).locator('tbody tr');
  await expect(rows).toHaveCount(3);
  await page.getByRole('checkbox', { name: 'Choose all that are shown' }).check();
  const retried: string[] = [];
  page.on('request', (request) => {
    const [, id] = /shipments\/(shp_\w+)\/retry$/.exec(request.url()) ?? [];
    if (id) retried.push(id);
  });
  await page.getByRole('region', { name: 'Several at once' }).getByRole('button', { name: 'Try again' }).click();
  const dialog = page.getByRole('dialog', { name: 'Try again' });
  await expect(dialog).toContainText('2 shipments are looked at anew');
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await expect(dialog.getByRole('status')).toContainText('2 are looked at anew.');
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await expect(dialog).toBeHidden();
  expect(retried).toEqual(stopped.slice(0, 2).map((one) => String((one as { id?: unknown }).id)));
});

test('an error leads to what mends it, and what the program did is shown', async ({ page, demo }) => {
  await demo.signIn(page);
  const refused = { type: 'conflict', title: 'It clashes', status: 409, detail: 'sending is frozen', remedy: 'Release it first.' };
  await page.route('**/api/v1/shipments?*', (route) => route.fulfill({ status: 409, json: refused }));
  await page.goto(`${demo.base}/shipments`);
  await page.getByRole('alert').getByRole('link', { name: 'To Safety' }).click();
  await expect(page.getByRole('heading', { name: 'Safety', level: 1 })).toBeVisible();
  await page.goto(`${demo.base}/activity`);
  await expect(page.getByRole('table', { name: 'Changes' }).getByRole('link').first()).toBeVisible();
  await page.getByRole('tab', { name: 'Runs' }).click();
  await expect(page.getByRole('table', { name: 'Runs' }).locator('tbody tr').first()).toBeVisible();
});

test('what is picked from has all of a list, however many pages it comes in', async ({ page, demo }) => {
  await demo.signIn(page);
  const pages: Record<string, unknown> = {
    '': { items: [{ id: 'mer_1', name: 'First brand of many' }], next: 'First brand of many' },
    'First brand of many': { items: [{ id: 'mer_2', name: 'Last brand of many' }] },
  };
  await page.route('**/api/v1/merchants?*', (route) =>
    route.fulfill({ json: pages[new URL(route.request().url()).searchParams.get('cursor') ?? ''] }),
  );
  await page.goto(`${demo.base}/orders`);
  await page.getByRole('combobox', { name: 'Merchant' }).click();
  for (const name of ['First brand of many', 'Last brand of many']) await expect(page.getByRole('option', { name })).toBeVisible();
});

test('an order says where it is, why, and what was sent for it', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/orders`);
  await page.getByRole('link', { name: '100007' }).click();
  await expect(page.getByRole('region', { name: 'Why is it here' })).toContainText('Brightpearl was told');
  const timeline = page.getByRole('region', { name: 'Timeline' });
  await expect(timeline.getByRole('listitem').first()).toContainText('Send order 100007 to the warehouse');
  await timeline.getByRole('button', { name: /what was sent/ }).nth(1).click();
  await expect(timeline).toContainText('orderStatusId');
  await expect(page.getByRole('region', { name: 'Shipments' })).toContainText('1ZDSFX');
});

test('several orders are archived at once, after a look at which', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/orders?state=closed`);
  for (const number of ['100001', '100002']) await page.getByLabel(`Choose order ${number}`).check();
  await page.getByRole('region', { name: 'Several at once' }).getByRole('button', { name: 'Archive' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('100001');
  await expect(dialog).toContainText('Would be done to 2');
  await dialog.getByRole('button', { name: 'Archive: 2 orders' }).click();
  await expect(dialog).toContainText('Done to 2');
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
  await expect(page.getByRole('table', { name: 'Orders' }).locator('tbody tr')).toHaveCount(ORDERS - 2);
});

test('a stock run that was acted upon is taken back, after a look at what that does', async ({ page, demo }) => {
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/stock`);
  await page.getByRole('table', { name: 'Stock runs' }).getByRole('link').last().click();
  await expect(page.getByRole('table', { name: 'Lines of the run' }).locator('tbody tr')).toHaveCount(25);
  await expect(page.getByRole('region', { name: 'Brightpearl is corrected' })).toContainText('25 products were corrected');
  await page.getByRole('button', { name: 'Undo' }).click();
  const dialog = page.getByRole('dialog', { name: 'Undo this run' });
  await expect(dialog.getByRole('table').locator('tbody tr')).toHaveCount(25);
  await dialog.getByRole('checkbox').first().check();
  await dialog.getByLabel('Reason').fill('counted wrongly');
  await dialog.getByRole('button', { name: 'Undo what is chosen' }).click();
  await expect(page.getByRole('link', { name: 'Taken back' })).toHaveCount(1);
  await expect(page.getByRole('region', { name: 'Part of it was taken back' })).toContainText('1 of 25 products was taken back');
  await page.goto(`${demo.base}/stock?tab=holds`);
  await expect(page.getByRole('table', { name: 'Held products' })).toContainText('counted wrongly');
});

test('the wizard makes a connection that is off, and says what switching it on does', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Add a connection' }).click();
  await page.getByLabel('Name of the connection').fill('Second');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  for (const side of ['Warehouse', 'Store']) {
    await expect(page.getByRole('region', { name: `${side} Setup` })).toBeVisible();
    await page.getByRole('button', { name: 'Test connection' }).click();
    await expect(page.getByRole('status').filter({ hasText: 'it can be worked with' })).toBeVisible({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Next' }).click();
  }
  // What was done so far is there when one comes back.
  await expect(page.getByRole('group', { name: 'Step 4 of 5: Store Setup, what to import' })).toBeVisible();
  await page.reload();
  await page.getByRole('combobox', { name: 'Import from these statuses' }).click();
  await page.getByRole('option', { name: 'Ready to ship' }).click();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Make the connection' }).click();
  await expect(page.getByRole('region', { name: 'Pre-flight' })).toBeVisible();
  await page.getByRole('link', { name: 'To the connection, to switch it on' }).click();
  await expect(page.getByRole('heading', { name: 'Second', level: 1 })).toBeVisible();
  await page.getByRole('button', { name: 'Switch on', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('What will happen');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('button', { name: 'Switch on', exact: true })).toBeVisible();
});

test('what is wrong with a setting is said at its field, until it is changed', async ({ page, demo }) => {
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  const shipped = page.getByRole('combobox', { name: 'Status: shipped' });
  // The settings need the account's lists, which wait while its calls of this minute are spent.
  await expect(shipped).toBeVisible({ timeout: 60_000 });
  await pick(page, 'Status: shipped', 'Ready to ship');
  await page.getByRole('button', { name: 'Save the settings' }).click();
  await expect(shipped).toHaveAccessibleDescription(/Must not be one of the statuses that orders are imported from/, { timeout: 60_000 });
  await expect(shipped).toBeFocused();
  await expect(page.getByRole('alert')).toContainText('One field says what is wrong with it.');
  expect(await faults(page)).toEqual([]);
  await pick(page, 'Status: shipped', 'Shipped');
  await expect(shipped).not.toHaveAccessibleDescription(/Must not be/);
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a pre-flight shows ten causes of a kind, and the rest when somebody wants them', async ({ page, demo }) => {
  await demo.signIn(page);
  const run = {
    ...{ id: 'pre_1', connection: 'con_1', days: 30, state: 'finished', since: '2026-10-29T08:00:00Z', wanted_at: '2026-11-28T08:00:00Z' },
    ...{ wanted_by: 'person per_1 (ada@example.com)', orders: 12, total: 12, through: 0, stuck: 12, left_out: 0, stuck_per_mille: 1000 },
  };
  const cause = (kind: string, subject: string) => ({ kind, subject, orders: 1, examples: ['100001'], left_out: false, remedy: 'Mend it.' });
  const skus = Array.from({ length: 12 }, (_, place) => cause('unknown_sku', `SKU-${place}`));
  // As a run of an account with more products than the demo orders.
  await page.route('**/api/v1/connections/*/preflight?*', (route) => route.fulfill({ json: { items: [run] } }));
  await page.route('**/api/v1/connections/*/preflight/pre_1', (route) =>
    route.fulfill({ json: { ...run, before: null, causes: [...skus, cause('kit', 'SET-1')] } }),
  );
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('link', { name: 'Pre-flight', exact: true }).click();
  const rows = page.getByRole('table', { name: 'SKUs' }).locator('tbody tr');
  await expect(rows).toHaveCount(11);
  await expect(rows.filter({ hasText: 'SET-1' })).toHaveCount(1);
  await page.getByRole('button', { name: '2 more', exact: true }).click();
  await expect(rows).toHaveCount(13);
  expect(await faults(page)).toEqual([]);
});

test('what does not work is kept only where one wants it all the same, and is changed where that is said', async ({ page, demo }) => {
  const [, folder = ''] = await demo.says(/the warehouse is the folder (\S+?)\.?$/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections/add`);
  await page.getByLabel('Name of the connection').fill('Mistyped');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  const warehouse = page.getByRole('region', { name: 'Warehouse Setup' });
  await warehouse.getByLabel('A new one').check();
  await warehouse.getByLabel('Name of the warehouse').fill('Mistyped shed');
  await pick(page, 'Platform', 'DSFX');
  await pick(page, 'Transport', 'Folder on this machine');
  const where = warehouse.getByRole('textbox', { name: 'Folder', exact: true });
  await where.fill(`${folder}.`);
  const fails = page.getByRole('status').filter({ hasText: 'it cannot be worked with yet' });
  await warehouse.getByRole('button', { name: 'Next' }).click();
  await expect(fails).toBeVisible({ timeout: 30_000 });
  // What was entered is still there.
  await expect(where).toHaveValue(`${folder}.`);
  await expect(warehouse.getByRole('combobox', { name: 'Transport' })).toHaveValue('Folder on this machine');
  expect(await faults(page)).toEqual([]);
  await warehouse.getByRole('button', { name: 'Keep it all the same' }).click();
  const store = page.getByRole('region', { name: 'Store Setup' });
  await store.getByRole('button', { name: 'Back' }).click();
  // It is one that is here now, and still does not work until it is changed.
  await expect(warehouse.getByRole('combobox', { name: 'Warehouse' })).toHaveValue(/^Mistyped shed/);
  await warehouse.getByRole('button', { name: 'Test connection' }).click();
  await expect(fails).toBeVisible({ timeout: 30_000 });
  await where.fill(folder);
  await warehouse.getByRole('button', { name: 'Test connection' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'it can be worked with' })).toBeVisible({ timeout: 30_000 });
  expect(await faults(page)).toEqual([]);
  await warehouse.getByRole('button', { name: 'Next' }).click();
  await store.getByRole('button', { name: 'Back' }).click();
  await warehouse.getByRole('button', { name: 'Test connection' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'it can be worked with' })).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
  await page.goto(`${demo.base}/merchants`);
  await expect(page.getByRole('table', { name: 'Warehouses' }).getByRole('row', { name: /Mistyped shed/ })).toHaveCount(1);
  await page.getByRole('button', { name: 'Remove Mistyped shed' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByRole('table', { name: 'Warehouses' })).not.toContainText('Mistyped shed');
});

test('a connection that was left is found again with its password, and is discarded', async ({ page, demo }) => {
  const [, brightpearl = ''] = await demo.says(/stands in on (http:[^;]+);/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections/add`);
  await page.getByLabel('Name of the connection').fill('Left');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('region', { name: 'Warehouse Setup' }).getByRole('button', { name: 'Next' }).click();
  const store = page.getByRole('region', { name: 'Store Setup' });
  await store.getByLabel('A new one').check();
  await store.getByLabel('Name of the store').fill('Shop');
  await page.getByRole('combobox', { name: 'Datacenter Code' }).click();
  await page.getByRole('option', { name: 'eu1' }).click();
  await store.getByLabel('Account ID').fill('demo');
  await store.getByLabel('API User Email').fill('api.user@example.test');
  await store.getByLabel('Base address').fill(brightpearl);
  await store.getByLabel('API User Password').fill('example-password');
  await page.getByRole('link', { name: 'Go on later' }).click();
  const left = page.getByRole('region', { name: 'Not finished' });
  await expect(left).toContainText('Store Setup');
  await page.reload();
  await left.getByRole('link', { name: 'Go on', exact: true }).click();
  await expect(store.getByLabel('Account ID')).toHaveValue('demo');
  // The password came back as something that is kept, and nobody sees it.
  await expect(store.getByLabel('API User Password')).toHaveValue('');
  await store.getByRole('button', { name: 'Test connection' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'it can be worked with' })).toBeVisible({ timeout: 60_000 });
  expect(await faults(page)).toEqual([]);
  await store.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('group', { name: 'Step 4 of 5: Store Setup, what to import' })).toBeVisible();
  await page.getByRole('link', { name: '‹ Connections' }).click();
  await left.getByRole('button', { name: 'Discard Left' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
  await expect(left).toHaveCount(0);
});

test('a store that signs in by OAuth is connected at Brightpearl, which asks for consent', async ({ page, demo }) => {
  const [, brightpearl = ''] = await demo.says(/stands in on (http:[^;]+);/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections/add`);
  await page.getByLabel('Name of the connection').fill('By consent');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('region', { name: 'Warehouse Setup' }).getByRole('button', { name: 'Next' }).click();
  const store = page.getByRole('region', { name: 'Store Setup' });
  await store.getByLabel('A new one').check();
  await store.getByLabel('Name of the store').fill('Shop by consent');
  await page.getByRole('combobox', { name: 'Datacenter Code' }).click();
  await page.getByRole('option', { name: 'eu1' }).click();
  await store.getByLabel('Account ID').fill('demo');
  await page.getByRole('combobox', { name: 'Sign in with' }).click();
  await page.getByRole('option', { name: 'OAuth' }).click();
  await expect(store.getByLabel('API User Password')).toHaveCount(0);
  await store.getByLabel('App reference').fill('millrace');
  await store.getByLabel('Developer reference').fill('example');
  await store.getByLabel('Client secret').fill('example-secret');
  await store.getByLabel('Base address').fill(brightpearl);
  await store.getByRole('button', { name: 'Keep it', exact: true }).click();
  await expect(store.getByText('Not connected at Brightpearl')).toBeVisible();
  await store.getByRole('button', { name: 'Connect at Brightpearl' }).click();
  expect(await faults(page)).toEqual([]);
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'To Brightpearl' }).click();
  // The demo has no public address, so Brightpearl could not send anybody back: that is said, with what to do.
  await expect(dialog.getByRole('alert')).toContainText('--public-url');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await dialog.getByRole('button', { name: 'Discard' }).click();
  await page.goto(`${demo.base}/merchants`);
  await page.getByRole('button', { name: 'Remove Shop by consent' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByRole('table', { name: 'Stores' })).not.toContainText('Shop by consent');
});

test('who tries an alert that cannot be sent is told so', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/alerts`);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('The office');
  const to = dialog.getByLabel('E-mail addresses');
  await expect(to).toHaveAccessibleDescription(/--smtp/);
  await to.fill('office@example.com');
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await page.getByRole('button', { name: 'Try it' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'The test did not get there' })).toContainText(/no mail server/i);
  await page.getByRole('button', { name: 'Remove The office' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByText('Nobody is told yet')).toBeVisible();
});

test('a SKU that is mapped is not mapped anew unasked; it is changed and removed', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('table', { name: 'Connections' }).getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('main').getByRole('link', { name: 'Mappings', exact: true }).click();
  await expect(page.locator('.mantine-NavLink-root[aria-current=page]')).toHaveText(['Mappings']);
  const skus = page.getByRole('region', { name: /^SKUs/ });
  const dialog = page.getByRole('dialog');
  await skus.getByLabel('Search').fill('NEW-1');
  const row = skus.getByRole('row', { name: /NEW-1/ });
  for (const [to, answer] of [['A-1', ''], ['B-1', 'Cancel'], ['C-1', 'Map it anew']] as const) {
    await skus.getByLabel("Brightpearl's SKU").fill('NEW-1');
    await skus.getByLabel("Warehouse's SKU").fill(to);
    await skus.getByRole('button', { name: 'Map it', exact: true }).click();
    if (!answer) {
      await expect(row).toContainText('A-1');
      continue;
    }
    await expect(dialog).toContainText('At the warehouse now: A-1');
    expect(await faults(page)).toEqual([]);
    await dialog.getByRole('button', { name: answer }).click();
    await expect(row).toContainText(answer === 'Cancel' ? 'A-1' : 'C-1');
  }
  await row.getByRole('button', { name: 'Change NEW-1' }).click();
  await dialog.getByLabel('What the warehouse calls NEW-1').fill('D-1');
  await dialog.getByRole('button', { name: 'Map it' }).click();
  await expect(row).toContainText('D-1');
  await row.getByRole('button', { name: 'Remove NEW-1' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(row).toHaveCount(0);
});

test('what the warehouse lists is picked from, and anything else can be typed', async ({ page, demo }) => {
  await demo.signIn(page);
  // The demo's warehouse is a folder, which lists nothing: what another one would list is put in its place.
  await page.route('**/api/v1/warehouses/*/choices', (route) =>
    route.fulfill({ json: { facilities: ['East'], carriers: [{ carrier: 'UPS', services: ['Ground', 'Next day'] }] } }),
  );
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('table', { name: 'Connections' }).getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('main').getByRole('link', { name: 'Mappings', exact: true }).click();
  const methods = page.getByRole('region', { name: 'Ship methods' });
  const carrier = methods.getByLabel('Carrier');
  await carrier.click();
  await page.getByRole('option', { name: 'UPS', exact: true }).click();
  await expect(carrier).toHaveValue('UPS');
  const service = methods.getByLabel('Service');
  await service.click();
  await page.getByRole('option', { name: 'Next day', exact: true }).click();
  await expect(service).toHaveValue('Next day');
  const facility = page.getByRole('region', { name: 'Locations' }).getByLabel('Facility');
  await facility.click();
  await page.getByRole('option', { name: 'East', exact: true }).click();
  await expect(facility).toHaveValue('East');
  await carrier.fill('Own van');
  await expect(carrier).toHaveValue('Own van');
  await service.fill('Today');
  await expect(service).toHaveValue('Today');
  expect(await faults(page)).toEqual([]);
});

test('a backup is taken, downloaded and removed', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/safety`);
  const backups = page.getByRole('region', { name: 'Backups' });
  await expect(backups).toContainText('No backup is kept here');
  await backups.getByRole('button', { name: 'Take a backup' }).click();
  const row = backups.getByRole('table').locator('tbody tr');
  await expect(row).toHaveCount(1, { timeout: 60_000 });
  const coming = page.waitForEvent('download');
  await row.getByRole('button', { name: 'Download' }).click();
  const file = await (await coming).createReadStream();
  const [first] = (await file.take(1).toArray()) as Buffer[];
  expect(first?.subarray(0, 15).toString()).toBe('SQLite format 3');
  expect(await faults(page)).toEqual([]);
  await row.getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(backups).toContainText('No backup is kept here');
});

test('who comes back from an identity provider is told what came of it', async ({ page, demo }) => {
  // The demo has none; what the program would say of one is put in its place.
  await page.route('**/api/v1/session/provider', (route) =>
    route.fulfill({ json: { configured: true, name: 'Example login' } }),
  );
  await page.goto(`${demo.base}/sign-in#provider=refused`);
  await expect(page.getByRole('button', { name: 'Sign in with Example login' })).toBeVisible();
  await expect(page.getByRole('alert')).toContainText('Use the address you were invited with');
  expect(await faults(page)).toEqual([]);
  // From another site, as a provider sends people: within the app, what follows the # alone would load no page.
  await page.goto('about:blank');
  await page.goto(`${demo.base}/sign-in#provider=code`);
  await expect(page.getByLabel('Code')).toBeVisible();
});

test('a channel has rules, and a run that somebody asked for', async ({ page, demo }) => {
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('region', { name: 'Shipments' }).getByRole('link', { name: 'Schedule and runs' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Shipments of Demo');
  const schedule = page.getByRole('region', { name: 'Schedule' });
  await schedule.getByLabel('By rules').check();
  await schedule.getByRole('combobox', { name: 'Rule 1' }).click();
  await page.getByRole('option', { name: 'Once a day' }).click();
  await schedule.getByLabel(/^At \*$/).fill('02:30');
  await schedule.getByRole('button', { name: 'Add a rule' }).click();
  await schedule.getByRole('combobox', { name: 'Rule 2' }).click();
  await page.getByRole('option', { name: 'On days' }).click();
  await schedule.getByRole('group', { name: 'Days' }).getByText('Sat').click();
  await schedule.getByRole('button', { name: 'Save the schedule' }).click();
  await expect(schedule).toContainText('every day at 02:30; Mon, Tue, Wed, Thu, Fri, Sat 08:00-18:00 every 15 minutes (Europe/London)');
  await expect(schedule.getByText('Next, on the clock of Europe/London')).toBeVisible();
  expect(await faults(page)).toEqual([]);

  // Somebody else changes it while this page is open.
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByRole('button', { name: 'Remove rule 2' }).click();
  await other.getByRole('button', { name: 'Save the schedule' }).click();
  await expect(other.getByRole('region', { name: 'Schedule' })).toContainText('every day at 02:30 (Europe/London)');
  await other.close();
  await schedule.getByLabel(/^At \*$/).fill('03:30');
  await schedule.getByRole('button', { name: 'Save the schedule' }).click();
  await expect(schedule.getByRole('alert')).toContainText('Changed by somebody else meanwhile');
  await schedule.getByRole('button', { name: 'Load what is there now' }).click();
  await expect(schedule.getByLabel(/^At \*$/)).toHaveValue('02:30');
  await expect(schedule.getByRole('group', { name: 'Rule 2' })).toHaveCount(0);

  await page.getByRole('button', { name: 'Run now' }).click();
  const run = page.getByRole('table', { name: 'Runs' }).locator('tbody tr').filter({ hasText: demo.person });
  await expect(run).toContainText('Done', { timeout: 30_000 });

  await schedule.getByLabel('At its own pace').check();
  await schedule.getByLabel('Seconds between runs').fill('3');
  await schedule.getByRole('button', { name: 'Save the schedule' }).click();
  await expect(schedule).toContainText('Shipments are looked for every 3 seconds.');
});

test('merchants and connections get other names, and go; what is used stays', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/merchants`);
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Add a merchant' }).click();
  await dialog.getByLabel('Name of the merchant').fill('Brief brand');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('button', { name: 'Rename Brief brand' }).click();
  await dialog.getByLabel('Name of the merchant').fill('Short brand');
  await dialog.getByRole('button', { name: 'Rename', exact: true }).click();
  await page.getByRole('button', { name: 'Remove Short brand' }).click();
  expect(await faults(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('table', { name: 'Merchants' })).not.toContainText('brand');
  await page.getByRole('button', { name: 'Remove Example merchant' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('Remove what belongs to it first');
  await dialog.getByRole('button', { name: 'Cancel' }).click();

  // The one that the wizard made: nothing has happened with it.
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Second', exact: true }).click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('button', { name: 'Rename Second' }).click();
  await dialog.getByLabel('Name of the connection').fill('Third');
  await dialog.getByRole('button', { name: 'Rename', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Settings of Third' })).toBeVisible();
  await page.getByRole('button', { name: 'Remove Third' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Connections', level: 1 })).toBeVisible();
  await expect(page.getByRole('table', { name: 'Connections' })).not.toContainText('Third');
});

test('a tenant is made with the link for its first administrator, and disabled', async ({ page, demo, browser }) => {
  await demo.signIn(page);
  await page.getByRole('link', { name: 'Tenants' }).click();
  await page.getByRole('button', { name: 'Make a tenant' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Another house');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  const shown = await page.getByRole('status').filter({ hasText: '/setup#' }).innerText();
  const link = /\/setup#\w+/.exec(shown)?.[0] ?? '';
  const row = page.getByRole('row', { name: /^Another house/ });
  await expect(row).toContainText('Nobody has come in yet');
  expect(await faults(page)).toEqual([]);
  const theirs = await (await browser.newContext()).newPage();
  await theirs.goto(`${demo.base}${link}`);
  await expect(theirs.getByRole('heading', { name: 'Set up Millrace' })).toBeVisible();
  await page.getByRole('button', { name: 'Disable Another house' }).click();
  await dialog.getByRole('button', { name: 'Disable' }).click();
  await expect(row).toContainText('Disabled');
  await theirs.reload();
  await expect(theirs.getByRole('heading', { name: 'This link does not open' })).toBeVisible();
});

test('who has an address in two tenants signs in where the link came from, or where they say', async ({ page, demo, browser }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/tenants`);
  await page.getByRole('button', { name: 'Make a tenant' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Second house');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  const shown = await page.getByRole('status').filter({ hasText: '/setup#' }).innerText();
  const link = /\/setup#\w+/.exec(shown)?.[0] ?? '';
  const password = 'four words for a second house';
  const comeIn = async (on: Page) => {
    await on.getByLabel('E-mail address').fill(demo.person);
    await on.getByLabel(/^Password/).fill(password);
    await on.getByRole('button', { name: 'Sign in' }).click();
  };
  const overview = (on: Page) => on.getByRole('heading', { name: 'Overview', level: 1 });

  const theirs = await (await browser.newContext()).newPage();
  await theirs.goto(`${demo.base}${link}`);
  await theirs.getByLabel('E-mail address').fill(demo.person);
  await theirs.getByLabel('Your name').fill('Second');
  await theirs.getByLabel(/^Password/).fill(password);
  await theirs.getByLabel('The same once more').fill(password);
  await theirs.getByRole('button', { name: 'Create the administrator' }).click();
  await expect(overview(theirs)).toBeVisible();
  await theirs.context().clearCookies();
  await theirs.goto(`${demo.base}/sign-in`);
  await comeIn(theirs);
  await expect(overview(theirs)).toBeVisible();

  // Another browser knows nothing of it until it is told.
  const elsewhere = await (await browser.newContext()).newPage();
  await elsewhere.goto(`${demo.base}/sign-in`);
  await comeIn(elsewhere);
  await expect(elsewhere.getByRole('alert')).toBeVisible();
  await elsewhere.goto('about:blank');
  await elsewhere.goto(`${demo.base}/sign-in#tenant=${encodeURIComponent('Second house')}`);
  await comeIn(elsewhere);
  await expect(overview(elsewhere)).toBeVisible();
});

test("a merchant's person sees its own orders and nobody else's, and changes nothing", async ({ page, demo, browser }) => {
  await demo.signIn(page);
  // Another brand, made in the wizard's second step.
  await page.goto(`${demo.base}/connections/add`);
  await page.getByLabel('Name of the connection').fill('Other');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('A new one').check();
  await page.getByLabel('Name of the merchant').fill('Other brand');
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('region', { name: 'Warehouse Setup' })).toBeVisible();

  await demo.says(/Still serving/);
  await page.goto(`${demo.base}/orders`);
  const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
  await expect(rows.first()).toBeVisible();
  const all = await rows.count();
  const own = await comesIn(browser, demo.base, page, 'Ada', 'Merchant', 'Example merchant');
  await own.getByRole('link', { name: 'Orders', exact: true }).click();
  await expect(own.getByRole('table', { name: 'Orders' }).locator('tbody tr')).toHaveCount(all);
  await expect(own.getByRole('checkbox')).toHaveCount(0);
  await expect(own.getByRole('link', { name: 'People' })).toHaveCount(0);

  const other = await comesIn(browser, demo.base, page, 'Grace', 'Merchant', 'Other brand');
  await other.getByRole('link', { name: 'Orders', exact: true }).click();
  await expect(other.getByRole('heading', { name: 'No orders yet' })).toBeVisible();
  await other.goto(own.url().replace('/orders', '/connections'));
  await expect(other.getByRole('heading', { name: 'No connections yet' })).toBeVisible();
});

test('a wrong password is told in words', async ({ page, demo }) => {
  await page.goto(`${demo.base}/orders`);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect(await faults(page)).toEqual([]);
  await page.getByLabel('E-mail address').fill(demo.person);
  await page.getByLabel('Password').first().fill('surely not this one');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('There is nobody with this e-mail address and this password.');
  await page.getByLabel('Password').first().fill(demo.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  // Back to where one wanted to go.
  await expect(page.getByRole('heading', { name: 'Orders', level: 1 })).toBeVisible();
});

for (const width of [1280, 390]) {
  test(`no page has a serious fault for axe, light or dark, or is wider than its window (${width} wide)`, async ({ page, demo }) => {
    test.setTimeout(600_000);
    await demo.signIn(page);
    const found: Record<string, string[]> = {};
    const all = await places(demo, page);
    await page.setViewportSize({ width, height: 900 });
    for (const [name, path] of [...all, ['reset', await reset(demo)]] as const) {
      await page.emulateMedia({ colorScheme: 'light' });
      await page.goto(demo.base + path);
      await settled(page);
      const light = await faults(page);
      await page.emulateMedia({ colorScheme: 'dark' });
      await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark');
      // Of all that axe looks at, the scheme changes colours alone.
      const dark = await faults(page, ['color-contrast', 'link-in-text-block']);
      const here = [...light, ...dark.map((fault) => `dark: ${fault}`), ...(await sideways(page))];
      if (here.length > 0) found[name] = here;
    }
    expect(found).toEqual({});
  });
}

for (const [system, chosen] of [
  ['dark', 'Light'],
  ['light', 'Dark'],
] as const) {
  test(`${chosen} can be chosen where the system is ${system}, and everything can be read`, async ({ page, demo }) => {
    await page.emulateMedia({ colorScheme: system });
    await demo.signIn(page);
    await page.getByRole('button', { name: 'Light or dark' }).click();
    await page.getByRole('menuitem', { name: chosen, exact: true }).click();
    for (const path of ['/', '/orders', '/connections', '/alerts']) {
      await page.goto(demo.base + path);
      await settled(page);
      expect(await faults(page), path).toEqual([]);
    }
  });
}

test('the first page needs less than 250 kB of script', async ({ page, demo }) => {
  let bytes = 0;
  page.on('response', async (response) => {
    if (!response.url().endsWith('.js')) return;
    expect(await response.headerValue('content-encoding')).toBe('gzip');
    bytes += (await response.request().sizes()).responseBodySize;
  });
  await demo.signIn(page);
  await settled(page);
  await page.waitForLoadState('networkidle', { timeout: 2_000 }).catch(() => undefined);
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(250_000);
});

test('credentials are entered by somebody without an account, and tested on the page', async ({ page, demo, browser }) => {
  // Until then the account's calls are the orders'.
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('table', { name: 'Connections' }).getByRole('link').first().click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  const store = page.getByRole('region', { name: /^Store:/ });
  await store.getByRole('button', { name: 'Ask somebody else for them' }).click();
  const shown = await store.getByRole('status').filter({ hasText: '/hand-off#' }).innerText();
  expect(shown).toContain('This link opens only on the machine that Millrace runs on');
  await expect(store.getByRole('group', { name: /^Link of/ })).toContainText('not opened');
  const link = /\/hand-off#\w+/.exec(shown);
  const theirs = await (await browser.newContext()).newPage();
  await theirs.goto(`${demo.base}${link?.[0] ?? ''}`);
  await expect(theirs.getByRole('heading', { level: 1 })).toContainText('Brightpearl access for');
  expect(await faults(theirs)).toEqual([]);
  await theirs.getByLabel('API User Password').fill('not the right one');
  await theirs.getByRole('button', { name: 'Test and save' }).click();
  await expect(theirs.getByRole('status')).toContainText('It does not work yet');
  await theirs.getByLabel('API User Password').fill('example-password');
  await theirs.getByRole('button', { name: 'Test and save' }).click();
  await expect(theirs.getByRole('heading', { name: 'Done' })).toBeVisible();
  await expect(theirs.getByRole('status')).toContainText('It was reached');
  // Once.
  await theirs.reload();
  await expect(theirs.getByRole('heading', { name: 'This link does not open' })).toBeVisible();
  // Whoever asked sees that it is done.
  await expect(store.getByRole('group', { name: /^Link of/ })).toContainText('and the test worked', { timeout: 15_000 });
});

test("a warehouse's credentials come from whoever has them, and a file of it is tried before", async ({ page, demo, browser }) => {
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections/add`);
  await page.getByLabel('Name of the connection').fill('Of others');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  const warehouse = page.getByRole('region', { name: 'Warehouse Setup' });
  await warehouse.getByLabel('A new one').check();
  await page.getByRole('combobox', { name: 'Platform' }).click();
  await page.getByRole('option', { name: /^CSV/ }).click();
  await warehouse.getByRole('button', { name: /more settings/ }).click();
  const sample = page.getByRole('region', { name: 'Try the columns on a sample file' });
  const read = sample.getByRole('group', { name: 'How it is read' });
  await sample.getByLabel('Or paste some lines of one').fill('Despatch;Order;When;Item;Qty\nD-1;100001;2026-11-23;SKU-A;2\n');
  await expect(read.getByRole('status')).toContainText('there is no column');
  await expect(read).toContainText('Despatch;Order;When;Item;Qty');
  // The columns are entered until the file can be read; the picture of it follows.
  await warehouse
    .getByRole('textbox', { name: 'Columns of shipment files' })
    .fill('shipment_id=Despatch, order_number=Order, shipped_at=When, sku=Item, quantity=Qty');
  await page.getByRole('combobox', { name: 'Between cells' }).click();
  await page.getByRole('option', { name: 'Semicolon' }).click();
  await expect(read.getByRole('status')).toContainText('shipment D-1, 2 units');
  await expect(read.getByRole('table', { name: 'Rows of the sample' })).toContainText('SKU-A');
  await expect(read.getByRole('region', { name: 'An order as it would be written' })).toContainText('BPexample-O100001');
  // A file: its name is looked at, and a wrong row is named with its line.
  await sample.getByLabel('Stock: what is there').check();
  await sample.getByLabel('Sample file').setInputFiles({
    name: 'counted.txt',
    mimeType: 'text/plain',
    buffer: Buffer.from('sku;available\nSKU-A;5\nSKU-B;many\n'),
  });
  await expect(read).toContainText('A file of this name would be left alone');
  await expect(read).toContainText('1 figures as of');
  await expect(read.getByRole('row', { name: /^3/ })).toContainText('line 3, column 2');
  expect(await faults(page)).toEqual([]);

  // Where it is reached, and the password, others know.
  await warehouse.getByLabel('Name of the warehouse').fill('Their shed');
  await warehouse.getByRole('button', { name: 'Ask somebody else for them' }).click();
  const shown = await warehouse.getByRole('status').filter({ hasText: '/hand-off#' }).innerText();
  const link = warehouse.getByRole('group', { name: /^Link of/ });
  await expect(link).toContainText('not opened');
  const theirs = await (await browser.newContext()).newPage();
  await theirs.goto(`${demo.base}${/\/hand-off#\w+/.exec(shown)?.[0] ?? ''}`);
  await expect(theirs.getByRole('heading', { level: 1 })).toContainText('Access to Their shed for Example merchant');
  await expect(link).toContainText('nothing tried yet', { timeout: 15_000 });
  expect(await faults(theirs)).toEqual([]);
  await theirs.getByLabel('SFTP host').fill('127.0.0.1');
  await theirs.getByLabel('SFTP user').fill('acme');
  await theirs.getByLabel('SFTP password').fill('example-password');
  await theirs.getByRole('button', { name: 'Test and save' }).click();
  await expect(theirs.getByRole('status')).toContainText('It does not work yet', { timeout: 60_000 });
  await expect(link).toContainText('it did not work yet', { timeout: 15_000 });
  await theirs.getByRole('button', { name: 'Save all the same' }).click();
  await expect(theirs.getByRole('heading', { name: 'Done' })).toBeVisible({ timeout: 60_000 });
  await theirs.context().close();
  await link.getByRole('button', { name: 'Go on with it' }).click({ timeout: 30_000 });
  await expect(page.getByRole('status').filter({ hasText: 'it cannot be worked with yet' })).toBeVisible({ timeout: 60_000 });
  await expect(warehouse.getByRole('combobox', { name: 'Warehouse' })).toHaveValue(/^Their shed/);
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();

  // The settings of one that is kept try its files, too.
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await sample.getByLabel('Stock: what is there').check();
  await sample.getByLabel('Or paste some lines of one').fill('sku,available,on_hand,facility_id,counted_at\nSKU-A,5,6,MAIN,2026-11-26T10:00:00Z\n');
  await expect(read.getByRole('status')).toContainText('SKU-A in MAIN, available 5, on hand 6');
});

test('changed settings are tried with the password that is kept, and are not kept by that', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  const store = page.getByRole('region', { name: /^Store: / });
  const email = store.getByLabel('API User Email');
  const button = store.getByRole('button', { name: 'Test connection' });
  const works = store.getByRole('status').filter({ hasText: 'it can be worked with' });
  await email.fill('nobody@example.test');
  await button.click();
  await expect(store.getByRole('status').filter({ hasText: 'it cannot be worked with yet' })).toBeVisible({ timeout: 60_000 });
  expect(await faults(page)).toEqual([]);
  await email.fill('api.user@example.test');
  await button.click();
  await expect(works).toBeVisible({ timeout: 60_000 });
  await email.fill('nobody@example.test');
  await page.reload();
  await expect(email).toHaveValue('api.user@example.test');
});

test('a connection with a history is put away, and what happened with it can be read', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('button', { name: 'Switch off' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Switch off' }).click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('button', { name: 'Remove Demo' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Connections', level: 1 })).toBeVisible();
  await page.getByRole('link', { name: 'Those that were put away' }).click();
  await page.getByRole('link', { name: /^Demo \(archived/ }).click();
  await expect(page.getByText('It was put away')).toBeVisible();
  expect(await faults(page)).toEqual([]);
  await page.getByRole('link', { name: 'orders', exact: true }).click();
  await expect(page.getByRole('table', { name: 'Orders' }).locator('tbody tr').first()).toBeVisible();
});
