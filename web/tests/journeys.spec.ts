import { expect, test as base, type Browser, type Locator, type Page } from '@playwright/test';
import { Hub } from './hub';
import { comesIn, faults, keepIntercepting, PASSWORD, pick } from './steps';

const PERSON = 'ada@example.com';
/** A product that nobody has mapped, and one that comes later. */
const FIRST = 1010;
const LATER = 1011;
/** One that is mapped from the page of the order that lacks it. */
const OWN = 1012;

interface Run {
  id: string;
  state: string;
  made_at: string;
}

interface RunLine {
  skus: string[];
  verdict: string;
}

const test = base.extend<object, { hub: Hub; desk: Page }>({
  hub: [
    async ({}, use) => {
      const hub = new Hub();
      await hub.begin();
      await use(hub);
      await hub.end();
    },
    { scope: 'worker' },
  ],
  // One person, who stays signed in from the first step to the last.
  desk: [
    async ({ browser }, use) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      await keepIntercepting(context);
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      await use(page);
      await context.close();
      expect(complaints).toEqual([]);
    },
    { scope: 'worker' },
  ],
});

test.describe.configure({ mode: 'serial' });

async function accessible(page: Page): Promise<void> {
  await expect(page.locator('[data-loading]')).toHaveCount(0);
  expect(await faults(page)).toEqual([]);
}

/** Does what a button says, in the dialog that it opens. */
async function confirm(page: Page, button: Locator, label: string, fill: Record<string, string> = {}): Promise<void> {
  const dialog = page.getByRole('dialog');
  // What stands behind one that is just closing moves with it.
  await expect(dialog).toHaveCount(0);
  await button.click();
  for (const [field, value] of Object.entries(fill)) await dialog.getByLabel(field).fill(value);
  await dialog.getByRole('button', { name: label, exact: true }).click();
  await expect(dialog).toHaveCount(0);
}

async function handedOff(browser: Browser, hub: Hub, link: string): Promise<void> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${hub.base}${link}`);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Brightpearl access for');
  await accessible(page);
  await page.getByLabel('API User Password').fill(hub.password);
  await page.getByRole('button', { name: 'Test and save' }).click();
  await expect(page.getByRole('heading', { name: 'Done' })).toBeVisible();
  await context.close();
}

test('the setup link makes the first administrator', async ({ desk: page, hub }) => {
  await page.goto(hub.setup);
  await accessible(page);
  await hub.firstPerson(page, PASSWORD);
});

test('the wizard tests both sides; the password comes from somebody else', async ({ desk: page, hub, browser }) => {
  // History: what the pre-flight will look at.
  for (let count = 0; count < 4; count += 1) await hub.place(FIRST, 2);
  await page.getByRole('link', { name: 'Add a connection' }).click();
  await page.getByLabel('Name of the connection').fill('Shop to shed');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('Name of the merchant').fill('First brand');
  await page.getByRole('button', { name: 'Next' }).click();

  const warehouse = page.getByRole('region', { name: 'Warehouse Setup' });
  await warehouse.getByLabel('Name of the warehouse').fill('Shed');
  await pick(page, 'Platform', 'DSFX');
  await pick(page, 'Transport', 'Folder on this machine');
  await warehouse.getByRole('textbox', { name: 'Folder', exact: true }).fill(hub.folder);
  await accessible(page);
  await warehouse.getByRole('button', { name: 'Test connection' }).click();
  const works = page.getByRole('status').filter({ hasText: 'it can be worked with' });
  await expect(works).toBeVisible({ timeout: 30_000 });
  await accessible(page);
  // A test keeps nothing; going on does.
  expect(await hub.api('GET', '/warehouses')).toEqual({ items: [] });
  await warehouse.getByRole('button', { name: 'Next' }).click();

  const store = page.getByRole('region', { name: 'Store Setup' });
  await store.getByLabel('Name of the store').fill('Shop');
  await pick(page, 'Datacenter Code', 'eu1');
  await store.getByLabel('Account ID').fill(hub.account);
  await store.getByLabel('API User Email').fill(hub.email);
  await store.getByLabel('API User Password').fill('not the right one');
  await store.getByLabel('Base address').fill(hub.brightpearl);
  const fails = page.getByRole('status').filter({ hasText: 'it cannot be worked with yet' });
  for (const button of ['Test connection', 'Next']) {
    const asked = page.waitForResponse((response) => response.url().endsWith('/api/v1/stores/test'));
    await store.getByRole('button', { name: button }).click();
    await asked;
    await expect(fails).toBeVisible({ timeout: 30_000 });
    await expect(store.getByRole('button', { name: 'Next' })).toBeEnabled();
  }
  await accessible(page);
  // What does not work is not left behind.
  expect(await hub.api('GET', '/warehouses')).toMatchObject({ items: [{ name: 'Shed' }] });
  expect(await hub.api('GET', '/stores')).toEqual({ items: [] });
  await store.getByRole('button', { name: 'Ask somebody else for them' }).click();
  const shown = await page.getByRole('status').filter({ hasText: '/hand-off#' }).innerText();
  await handedOff(browser, hub, /\/hand-off#\w+/.exec(shown)?.[0] ?? '');
  await store.getByRole('button', { name: 'Go on with it' }).click({ timeout: 30_000 });
  await expect(works).toBeVisible({ timeout: 30_000 });
  await store.getByRole('button', { name: 'Next' }).click();

  await pick(page, 'Import from these statuses', 'Ready to ship');
  await pick(page, 'Warehouse Name', 'Example 3PL');
  await pick(page, 'Status: shipped', 'Shipped');
  await pick(page, 'Inventory Update Price List', 'Cost');
  // What has a value by itself is folded away.
  await expect(page.getByRole('combobox', { name: 'Shipping method where none is mapped' })).toBeHidden();
  await page.getByRole('button', { name: '25 more settings' }).click();
  await pick(page, 'Shipping method where none is mapped', 'Courier');
  await pick(page, 'Where the warehouse counts more', 'Correct Brightpearl');
  await accessible(page);
  await page.getByRole('button', { name: 'Make the connection' }).click();
  await expect(page.getByRole('region', { name: 'Pre-flight' })).toBeVisible();
});

test('a pre-flight shows two faults, which are mended in place', async ({ desk: page, hub }) => {
  await page.getByRole('button', { name: 'Run the pre-flight' }).click();
  const answer = page.getByRole('region', { name: 'What would have become of them' });
  await expect(answer).toContainText('100 % would have stood still', { timeout: 60_000 });
  await expect(page.getByRole('button', { name: 'Run again' })).toBeVisible();
  await accessible(page);
  // Found again after one has left.
  await page.reload();
  const skus = page.getByRole('region', { name: 'SKUs' });
  await confirm(page, skus.getByRole('button', { name: 'Map this SKU' }), 'Map it', {
    [`What the warehouse calls ${hub.sku(FIRST)}`]: `W-${hub.sku(FIRST)}`,
  });
  await expect(skus).toContainText('Mended since');
  const methods = page.getByRole('region', { name: 'Ship methods' });
  await expect(methods).toContainText('Tracked 24');
  await confirm(page, methods.getByRole('button', { name: 'Map this method' }), 'Map it', { Carrier: 'UPS', Service: 'Ground' });
  await expect(methods).toContainText('Mended since');
  await page.getByRole('button', { name: 'Run again' }).click();
  await expect(answer).toContainText('0 % would have stood still; 100 % in the run before', { timeout: 60_000 });
  const gone = page.getByRole('region', { name: 'Gone since the run before' });
  await expect(gone).toContainText(hub.sku(FIRST));
  // The one that is shown is none of the earlier ones.
  await expect(page.getByRole('table', { name: 'Earlier runs' }).locator('tbody tr')).toHaveCount(1);
  // While not all orders were looked at, nothing is said to be gone.
  const one = /\/preflight\/[^/?]+$/;
  await page.route(one, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...((await response.json()) as object), state: 'running' } });
  });
  await page.reload();
  await expect(page.getByRole('region', { name: 'It looks at your orders' })).toBeVisible();
  await expect(gone).toHaveCount(0);
  await page.unrouteAll({ behavior: 'wait' });
  await page.reload();
  await expect(gone).toBeVisible();
});

test('it is switched on, and the first order is followed until the connection is proven', async ({ desk: page, hub }) => {
  await page.getByRole('link', { name: 'To the connection, to switch it on' }).click();
  await expect(page.getByRole('heading', { name: 'Shop to shed', level: 1 })).toBeVisible();
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  const detail = `/connections/${connection?.id}`;
  // They stay off, and will run often once somebody switches them on.
  for (const channel of ['orders', 'shipments']) {
    await hub.api('PUT', `${detail}/channels/${channel}`, { enabled: false, every_seconds: 3 });
  }
  await page.getByRole('button', { name: 'Switch on', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('What will happen');
  const channel = (name: string) => dialog.getByRole('switch', { name, exact: true });
  await expect(channel('Orders')).toBeChecked();
  await expect(channel('Shipments')).toBeChecked();
  await expect(channel('Stock')).not.toBeChecked();
  // What will happen is said of what is chosen.
  await channel('Shipments').click({ force: true });
  await expect(dialog).toContainText('Shipments: the channel is off, so Brightpearl is not told of any.');
  await channel('Shipments').click({ force: true });
  await expect(dialog).toContainText('tracking and the shipped event are written to Brightpearl');
  await channel('Orders').click({ force: true });
  await expect(dialog).toContainText('Orders: the channel is off, so none is imported.');
  await channel('Orders').click({ force: true });
  await expect(dialog).toContainText('Orders with the chosen statuses');
  await dialog.getByRole('button', { name: 'Switch on' }).click();
  const follow = page.getByRole('link', { name: 'Follow the first order' });
  await expect(follow).toBeVisible();
  const { channels } = await hub.api<{ channels: { channel: string; enabled: boolean }[] }>('GET', detail);
  const on = channels.filter(({ enabled }) => enabled).map((one) => one.channel);
  expect(on.sort()).toEqual(['orders', 'shipments']);
  await follow.click();
  await expect(page.getByRole('heading', { name: 'Follow the first order', level: 1 })).toBeVisible();
  await accessible(page);
  await expect(page.getByRole('status').filter({ hasText: 'The connection is proven' })).toBeVisible({ timeout: 120_000 });
  await expect(page.getByRole('status').filter({ hasText: 'The connection is proven' })).toContainText('nobody is told of it yet');
  await expect(page.getByRole('region', { name: /^Order \d+/ })).toContainText('1ZDSFX');
  await accessible(page);
});

/** Somebody changes an order while it waits. What cannot be used is said, and what was typed stays. */
async function edits(page: Page): Promise<void> {
  await expect(page.getByRole('region', { name: 'Its way' })).toContainText('It waits for goods to leave the warehouse.');
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: /^Edit order \d+/ });
  const keep = dialog.getByRole('button', { name: 'Keep the edit' });
  await expect(keep).toBeDisabled();
  await dialog.getByRole('textbox', { name: 'Street', exact: true }).fill('14 New Street');
  await dialog.getByRole('textbox', { name: 'Country, in two letters' }).fill('Britain');
  await dialog.getByRole('textbox', { name: 'Notes for the warehouse' }).fill('Ring twice.');
  await keep.click();
  // It is said where it is mended, and one is there.
  const country = dialog.getByRole('textbox', { name: 'Country, in two letters' });
  await expect(country).toHaveAccessibleDescription(/Give two letters/);
  await expect(country).toBeFocused();
  await expect(dialog.getByRole('alert')).toContainText('One field says what is wrong with it.');
  await expect(dialog.getByRole('textbox', { name: 'Street', exact: true })).toHaveValue('14 New Street');
  await expect(dialog.getByRole('textbox', { name: 'Notes for the warehouse' })).toHaveValue('Ring twice.');
  await accessible(page);
  await country.fill('GB');
  await expect(country).toHaveAccessibleDescription('');
  await expect(dialog.getByRole('alert')).toHaveCount(0);
  await keep.click();
  await expect(dialog).toHaveCount(0);
  const edited = page.getByRole('region', { name: 'Edited here' });
  await expect(edited).toContainText('14 New Street');
  await expect(edited).toContainText('Brightpearl: nothing');
  await expect(page.getByRole('region', { name: 'Ship to' })).toContainText('14 New Street');
  await accessible(page);
  await edited.getByRole('button', { name: 'Take back the edit: Notes for the warehouse' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take back' }).click();
  await expect(edited).not.toContainText('Ring twice.');
  await expect(edited).toContainText('14 New Street');
}

/** Whether the orders channel does nothing before its time. */
async function rests(hub: Hub, connection: string): Promise<boolean> {
  const { channels } = await hub.api<{ channels: { channel: string; wanted_at?: string | null }[] }>('GET', `/connections/${connection}`);
  if (channels.some(({ channel, wanted_at: wanted }) => channel === 'orders' && wanted)) return false;
  const { items: [run] } = await hub.api<{ items: { outcome: string }[] }>('GET', `/connections/${connection}/channels/orders/runs?limit=1`);
  return run?.outcome !== 'running';
}

test('orders come on screen without a reload, and what holds several is mended once', async ({ desk: page, hub }) => {
  await page.getByRole('link', { name: 'Orders', exact: true }).click();
  const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
  await expect(rows).toHaveCount(4);
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  for (let count = 0; count < 3; count += 1) await hub.place(LATER, 4);
  await expect(rows).toHaveCount(7, { timeout: 60_000 });
  await expect(rows.filter({ hasText: 'Held' })).toHaveCount(3);
  await rows.filter({ hasText: 'Held' }).first().getByRole('link').first().click();
  await edits(page);
  await page.getByRole('link', { name: 'Exceptions' }).click();
  const group = page.getByRole('region', { name: /^Orders held/ });
  await expect(group).toContainText('Orders held (3)');
  // Otherwise the next look lets them go before anybody presses a button. One that had begun may still do so, and is waited for.
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  const orders = `/connections/${connection?.id}/channels/orders`;
  await hub.api('PUT', orders, { enabled: true, every_seconds: 3600 });
  await expect
    .poll(() => rests(hub, connection?.id ?? ''), { timeout: 60_000, message: 'no run of the orders channel is under way or wanted' })
    .toBe(true);
  await accessible(page);
  await confirm(page, group.getByRole('button', { name: 'Map this SKU' }), 'Map it', {
    [`What the warehouse calls ${hub.sku(LATER)}`]: `W-${hub.sku(LATER)}`,
  });
  // The cause is mended, and the orders still stand: nothing looks at them before somebody says so.
  await expect(group).toContainText('Orders held (3)');
  await expect(group.getByRole('button', { name: 'Map this SKU' })).toHaveCount(0);
  await group.getByRole('button', { name: 'Try all again' }).click();
  const dialog = page.getByRole('dialog', { name: 'Try all 3 again' });
  await dialog.getByRole('button', { name: 'Try all again' }).click();
  await expect(dialog.getByRole('status')).toContainText('3 are tried again. What still cannot go on stays on this page.');
  await accessible(page);
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await expect(dialog).toHaveCount(0);
  // What became of them is found after the dialog is closed.
  const told = page.getByRole('region', { name: 'Done to many at once' });
  await expect(told).toContainText('3 are tried again');
  await told.getByRole('button', { name: /^Put away/ }).click();
  await expect(told).toHaveCount(0);
  await expect(page.getByRole('heading', { name: 'No order and no change needs you' })).toBeVisible({ timeout: 60_000 });
  await hub.api('PUT', orders, { enabled: true, every_seconds: 3 });
  expect(await page.evaluate(() => 'stayed' in window)).toBe(true);
});

test('a partial shipment has its tracking on both sides', async ({ desk: page, hub }) => {
  test.setTimeout(360_000);
  await page.getByRole('link', { name: 'Shipments', exact: true }).click();
  const keys = page.getByRole('table', { name: 'Shipments' }).locator('tbody td[data-label="Order"]');
  await expect(keys.first()).toBeVisible();
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  const before = new Set(await keys.allInnerTexts());
  // The warehouse ships some orders in two parts. Of those that come now, one that stands twice on the page that is open is such;
  // where none of the first is, more are placed.
  for (let count = 0; count < 8; count += 1) await hub.place(LATER, 4);
  let key = '';
  await expect
    .poll(
      async () => {
        const shown = await keys.allInnerTexts();
        key = shown.find((one, place) => !before.has(one) && shown.indexOf(one) !== place) ?? '';
        if (!key) await hub.place(LATER, 4);
        return key;
      },
      { timeout: 180_000, message: 'an order that was shipped in two parts comes on screen', intervals: [10_000] },
    )
    .not.toBe('');
  await keys.getByRole('link', { name: key, exact: true }).first().click();
  const shipments = page.getByRole('table', { name: 'Shipments of the order' }).locator('tbody tr');
  await expect(shipments).toHaveCount(2);
  // Brightpearl is told of both, and that comes on screen as well.
  await expect(shipments.filter({ hasText: 'Not yet' })).toHaveCount(0, { timeout: 60_000 });
  expect(await page.evaluate(() => 'stayed' in window)).toBe(true);
  const number = Number(/\d+/.exec(await page.getByRole('heading', { level: 1 }).innerText())?.[0]);
  const notes = await hub.notes(number);
  expect(notes).toHaveLength(2);
  for (const note of notes) {
    expect(note.shipped).toBe(true);
    expect(note.reference).toContain('1ZDSFX');
    await expect(shipments.filter({ hasText: note.reference })).toHaveCount(1);
  }
  await accessible(page);
});

test('a stock run is reviewed, approved by two people and taken back', async ({ desk: page, hub, browser }) => {
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  await page.goto(`${hub.base}/connections/${connection?.id}/settings`);
  const two = page.getByRole('switch', { name: 'Two people approve stock' });
  // The settings need the account's lists, which wait while its calls of this minute are spent.
  await expect(two).toBeAttached({ timeout: 60_000 });
  await two.click({ force: true });
  await page.getByRole('button', { name: 'Save the settings' }).click();
  await expect(page.getByRole('heading', { name: 'Shop to shed', level: 1, exact: true })).toBeVisible();
  const other = await comesIn(browser, hub.base, page, 'Lin', 'Staff');

  const wrong = FIRST;
  await hub.disturb(wrong, 4);
  await page.goto(`${hub.base}/connections/${connection?.id}`);
  const stock = page.getByRole('switch', { name: 'Stock is on' });
  await stock.click({ force: true });
  await expect(stock).toBeChecked();
  await hub.api('PUT', `/connections/${connection?.id}/channels/stock`, { enabled: true, every_seconds: 3 });
  await page.getByRole('link', { name: 'Stock', exact: true }).click();
  const runs = page.getByRole('table', { name: 'Stock runs' });
  // The warehouse counts every minute, and a run waits for a person. One in which an order of the product is still between the
  // two systems leaves it out: then the next count is the one to look at. A newer count takes the place of one that waits, so
  // both people look at one that was just made.
  const sku = `W-${hub.sku(wrong)}`;
  let run = '';
  await expect
    .poll(
      async () => {
        const { items } = await hub.api<{ items: Run[] }>('GET', `/connections/${connection?.id}/stock/runs`);
        const waiting = items.filter(({ state, made_at }) => state === 'waiting' && Date.now() - Date.parse(made_at) < 20_000);
        for (const one of waiting) {
          const { items: lines } = await hub.api<{ items: RunLine[] }>('GET', `/stock/runs/${one.id}/lines?limit=500`);
          if (lines.some((line) => line.skus.includes(sku) && line.verdict === 'correct')) return (run = one.id);
        }
        return '';
      },
      { timeout: 200_000, message: 'a run that corrects the product' },
    )
    .not.toBe('');
  await expect(runs.locator('tbody tr').filter({ hasText: 'Waiting' }).first()).toBeVisible({ timeout: 30_000 });
  await page.goto(`${hub.base}/stock/runs/${run}`);
  const lines = page.getByRole('table', { name: 'Lines of the run' });
  const line = lines.locator('tr', { hasText: sku });
  await expect(line).toContainText('−4');
  await expect(page.getByRole('region', { name: 'It waits for a person' })).toContainText('Nothing is written yet');
  const people = page.getByRole('region', { name: 'Two people approve this run' });
  await expect(people).toContainText('Two people are missing');
  const before = await hub.stock(wrong);
  await confirm(page, page.getByRole('button', { name: 'Approve as the first of two' }), 'Say yes');
  await expect(people).toContainText('One person is missing');
  await expect(people.getByRole('list', { name: 'Who has approved' })).toContainText(`${PERSON} (you): yes`);
  // Once is all that one person can say it.
  await expect(page.getByRole('button', { name: 'You have approved' })).toBeDisabled();

  await other.goto(`${hub.base}/stock/runs/${run}`);
  await expect(other.getByRole('region', { name: 'Two people approve this run' })).toContainText(`${PERSON}: yes`);
  await other.getByRole('button', { name: 'Approve as the second of two' }).click();
  const second = other.getByRole('dialog');
  await expect(second).toContainText('yours decides');
  await second.getByRole('button', { name: /^Correct/ }).click();
  // Here it is seen without a reload.
  await expect(line).toContainText('Applied', { timeout: 60_000 });
  expect(await hub.stock(wrong)).toBe(before - 4);
  await expect(page.getByRole('region', { name: 'About it' })).toContainText(`${PERSON}, lin@example.com`);
  await expect(people).toHaveCount(0);
  await accessible(page);
  await other.context().close();

  await page.getByRole('button', { name: 'Undo' }).click();
  const dialog = page.getByRole('dialog', { name: 'Undo this run' });
  await dialog.getByLabel('Reason').fill('counted wrongly');
  await dialog.getByRole('button', { name: /^Undo all/ }).click();
  // It is followed until it is done, and Brightpearl has what it had.
  await line.getByRole('link', { name: 'Taken back' }).click({ timeout: 30_000 });
  await expect(page.locator('.heading')).toContainText('Applied', { timeout: 120_000 });
  expect(await hub.stock(wrong)).toBe(before);
  await accessible(page);
});

test("a merchant's person sees its own and nothing else", async ({ desk: page, hub, browser }) => {
  await hub.api('POST', '/merchants', { name: 'Second brand' });
  const { items: [order] } = await hub.api<{ items: { id: string; number: number }[] }>('GET', '/orders?limit=1');
  for (const [name, merchant, sees] of [
    ['Grace', 'First brand', true],
    ['Joan', 'Second brand', false],
  ] as const) {
    const theirs = await comesIn(browser, hub.base, page, name, 'Merchant', merchant);
    await theirs.getByRole('link', { name: 'Orders', exact: true }).click();
    if (sees) {
      await expect(theirs.getByRole('table', { name: 'Orders' }).locator('tbody tr').first()).toBeVisible();
      await expect(theirs.getByRole('checkbox')).toHaveCount(0);
    } else {
      await expect(theirs.getByRole('heading', { name: 'No orders yet' })).toBeVisible();
    }
    await accessible(theirs);
    // Who has the address of an order sees no more by it.
    await theirs.goto(`${hub.base}/orders/${order?.id}`);
    if (sees) {
      await expect(theirs.getByRole('heading', { name: `Order ${order?.number}`, level: 1 })).toBeVisible();
    } else {
      await expect(theirs.getByRole('alert')).toContainText('does not exist');
      await expect(theirs.getByRole('heading', { name: 'Order', level: 1, exact: true })).toBeVisible();
      await expect(theirs.getByRole('region', { name: 'Ship to' })).toHaveCount(0);
    }
    await theirs.context().close();
  }
});

test('an order is mended on its own page, and tried again', async ({ desk: page, hub }) => {
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  const number = await hub.place(OWN, 2);
  await page.goto(`${hub.base}/orders`);
  await page.getByRole('table', { name: 'Orders' }).getByRole('link', { name: String(number), exact: true }).click({ timeout: 60_000 });
  const why = page.getByRole('region', { name: 'Why is it here' });
  await expect(why).toContainText(`SKU ${hub.sku(OWN)} is not mapped`);
  // Otherwise the next look lets it go before anybody presses a button.
  await hub.api('PUT', `/connections/${connection?.id}/channels/orders`, { enabled: true, every_seconds: 3600 });
  // What mends it stands before what tries again.
  const buttons = await why.getByRole('button').allInnerTexts();
  expect(buttons.slice(0, 2)).toEqual(['Map this SKU', 'Try again']);
  await expect(why.getByRole('link', { name: 'To the mappings' })).toBeVisible();
  await accessible(page);
  await confirm(page, why.getByRole('button', { name: 'Map this SKU' }), 'Map it', {
    [`What the warehouse calls ${hub.sku(OWN)}`]: `W-${hub.sku(OWN)}`,
  });
  await expect(page.getByText('The order can be tried again now')).toBeVisible();
  // It is not offered a second time, whatever the words still say.
  await expect(why.getByRole('button', { name: 'Map this SKU' })).toHaveCount(0);
  // A run that had begun may have let it go after all.
  const again = why.getByRole('button', { name: 'Try again' });
  if (await again.isVisible()) await confirm(page, again, 'Try again');
  await expect(page.getByRole('region', { name: 'Asked of the warehouse' })).toContainText('Key there', { timeout: 60_000 });
  await expect(why).not.toContainText('is not mapped');
});
