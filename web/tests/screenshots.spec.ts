import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test } from './demo';
import { Hub } from './hub';
import { freePort, MailServer } from './mail';
import { GONE, places, PLACES, settled, untouched } from './places';
import { comesIn, PASSWORD, pick } from './steps';

const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const SCHEMES = ['light', 'dark'] as const;

test.describe.configure({ mode: 'serial' });

test.beforeAll(() => mkdirSync('screenshots', { recursive: true }));

/** One page as it is now, in all four ways. */
async function take(page: Page, name: string): Promise<void> {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const scheme of SCHEMES) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: scheme });
      await page.waitForTimeout(300);
      await page.screenshot({ path: `screenshots/${name}-${size}-${scheme}.png` });
    }
  }
  await page.setViewportSize(SIZES.wide);
  await page.emulateMedia({ colorScheme: 'light' });
}

/** The path of docs/first-connection.md, as somebody new would go it. */
test('the first connection, step by step', async ({ page, demo }) => {
  test.setTimeout(600_000);
  const [, brightpearl = ''] = await demo.says(/stands in on (http:[^;]+);/);
  const [, folder = ''] = await demo.says(/the warehouse is the folder (\S+?)\.?$/);
  await demo.says(/Still serving/);
  await page.goto(`${demo.base}/sign-in`);
  await take(page, 'sign-in');
  await demo.signIn(page);
  await page.getByRole('link', { name: 'Connections', exact: true }).click();
  await page.getByRole('link', { name: 'Add a connection' }).click();
  await page.getByLabel('Name of the connection').fill('My first');
  await take(page, 'wizard-1-name');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('A new one').check();
  await page.getByLabel('Name of the merchant').fill('My brand');
  await take(page, 'wizard-2-merchant');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('Name of the warehouse').fill('Shed');
  await pick(page, 'Platform', 'DSFX');
  await pick(page, 'Transport', 'Folder on this machine');
  await page.getByRole('textbox', { name: 'Folder', exact: true }).fill(folder);
  await take(page, 'wizard-3-warehouse');
  await page.getByRole('button', { name: 'Test connection' }).click();
  const works = page.getByRole('status').filter({ hasText: 'it can be worked with' });
  await expect(works).toBeVisible({ timeout: 60_000 });
  await take(page, 'wizard-3-warehouse-tested');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('Name of the store').fill('Shop');
  await pick(page, 'Datacenter Code', 'eu1');
  await page.getByLabel('Account ID').fill('demo');
  await page.getByLabel('API User Email').fill('api.user@example.test');
  await page.getByLabel('API User Password').fill('example-password');
  await page.getByLabel('Base address').fill(brightpearl);
  await take(page, 'wizard-4-store');
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect(works).toBeVisible({ timeout: 60_000 });
  await take(page, 'wizard-4-store-tested');
  await page.getByRole('button', { name: 'Next' }).click();
  await pick(page, 'Import from these statuses', 'Ready to ship');
  await pick(page, 'Warehouse Name', 'Example 3PL');
  await take(page, 'wizard-5-choose');
  await page.getByRole('button', { name: 'Make the connection' }).click();
  await page.getByRole('button', { name: 'Run the pre-flight' }).click();
  await expect(page.getByRole('region', { name: 'What would have become of them' })).toContainText('meant to go', { timeout: 120_000 });
  await expect(page.getByRole('button', { name: 'Run again' })).toBeVisible();
  await take(page, 'wizard-6-preflight');
  await page.getByRole('button', { name: 'Map this method' }).click();
  await take(page, 'wizard-6-mend');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Carrier').fill('UPS');
  await dialog.getByRole('button', { name: 'Map it' }).click();
  await expect(page.getByText('Mended since').first()).toBeVisible();
  await page.getByRole('link', { name: 'To the connection, to switch it on' }).click();
  await page.getByRole('button', { name: 'Switch on', exact: true }).click();
  await expect(dialog).toContainText('What will happen');
  await take(page, 'switch-on');
  await demo.shareSkus('Demo', 'My first');
  await demo.api('POST', '/connections/Demo/disable', {});
  await dialog.getByRole('button', { name: 'Switch on' }).click();
  await page.getByRole('link', { name: 'Follow the first order' }).click();
  await expect(page.getByRole('heading', { name: 'Follow the first order', level: 1 })).toBeVisible();
  const order = await demo.placeOrder();
  await expect(page.getByRole('status').filter({ hasText: 'The connection is proven' })).toBeVisible({ timeout: 180_000 });
  await expect(page.getByRole('region', { name: `Order ${order}` })).toBeVisible();
  await take(page, 'tour-proven');
  await demo.api('POST', '/connections/Demo/enable', {});
});

/** What stands behind a button, or is there only after something was done. */
test('schedules, drafts, other names and tenants', async ({ page, demo }) => {
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections/add`);
  await page.getByLabel('Name of the connection').fill('Later');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('link', { name: 'Go on later' }).click();
  await expect(page.getByRole('region', { name: 'Not finished' })).toBeVisible();
  await take(page, 'connections-not-finished');
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('region', { name: 'Stock' }).getByRole('link', { name: 'Schedule and runs' }).click();
  await page.getByLabel('By rules').check();
  await page.getByRole('button', { name: 'Add a rule' }).click();
  await pick(page, 'Rule 2', 'On days');
  await page.getByRole('button', { name: 'Save the schedule' }).click();
  await expect(page.getByText(/^Next, on the clock/)).toBeVisible();
  await take(page, 'channel-rules');
  await page.goto(`${demo.base}/merchants`);
  await page.getByRole('button', { name: 'Rename Example merchant' }).click();
  await take(page, 'merchants-rename');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Remove Example merchant' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(dialog.getByRole('alert')).toBeVisible();
  await take(page, 'merchants-refused');
  await page.goto(`${demo.base}/tenants`);
  await page.getByRole('button', { name: 'Make a tenant' }).click();
  await dialog.getByLabel('Name').fill('Another house');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await expect(page.getByRole('status').filter({ hasText: '/setup#' })).toBeVisible();
  await take(page, 'tenants-made');
  await page.goto(`${demo.base}/safety`);
  await page.getByRole('button', { name: 'Take a backup' }).click();
  await expect(page.getByRole('table', { name: 'Backups' }).locator('tbody tr')).toHaveCount(1);
});

/** Files of a warehouse that are tried, and a link for whoever has the credentials. */
test('files that are tried, and credentials of others', async ({ page, demo, browser }) => {
  test.setTimeout(600_000);
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections/add`);
  await page.getByLabel('Name of the connection').fill('Of others');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  const warehouse = page.getByRole('region', { name: 'Warehouse Setup' });
  await warehouse.getByLabel('A new one').check();
  await pick(page, 'Platform', 'CSV files');
  await warehouse.getByLabel('Name of the warehouse').fill('Their shed');
  await pick(page, 'Between cells', 'Semicolon');
  await warehouse.getByRole('button', { name: 'Ask somebody else for them' }).click();
  const shown = await warehouse.getByRole('status').filter({ hasText: '/hand-off#' }).innerText();
  await warehouse.getByRole('group', { name: /^Link of/ }).scrollIntoViewIfNeeded();
  await take(page, 'wizard-3-asked');
  const holder = await (await browser.newContext()).newPage();
  await holder.goto(`${demo.base}${/\/hand-off#\w+/.exec(shown)?.[0] ?? ''}`);
  await holder.getByRole('heading', { level: 1 }).waitFor();
  await take(holder, 'hand-off-warehouse');
  await holder.context().close();
  const sample = page.getByRole('region', { name: 'Try the columns on a sample file' });
  await sample.getByLabel('Stock: what is there').check();
  await sample.getByLabel('Sample file').setInputFiles({
    name: 'counted.txt',
    mimeType: 'text/plain',
    buffer: Buffer.from(`sku;available\n${Array.from({ length: 14 }, (_, line) => `SKU-${line};${line === 3 ? 'many' : line * 7}`).join('\n')}\n`),
  });
  await expect(sample.getByRole('table', { name: 'Rows of the sample' })).toBeVisible();
  await sample.getByRole('group', { name: 'How it is read' }).scrollIntoViewIfNeeded();
  await take(page, 'sample-stock');
  await sample.getByRole('region', { name: 'An order as it would be written' }).scrollIntoViewIfNeeded();
  await take(page, 'sample-stock-end');
  await page.getByRole('button', { name: 'Discard', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();

  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  const two = page.getByRole('switch', { name: 'Two people approve stock' });
  await two.click({ force: true });
  await two.scrollIntoViewIfNeeded();
  await take(page, 'settings-two-people');
});

/** Tables that come as files, and what Millrace holds of a merchant. */
test('tables as files, and the data of a merchant', async ({ page, demo }) => {
  await demo.says(/Still serving/);
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('link', { name: 'Demo', exact: true }).click();
  await page.getByRole('main').getByRole('link', { name: 'Mappings', exact: true }).click();
  await page.getByRole('button', { name: 'Import locations' }).click();
  const dialog = page.getByRole('dialog');
  const give = (csv: string) =>
    dialog.locator('input[type=file]').setInputFiles({ name: 'locations.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await give('facility,brightpearl_warehouse\nEAST,5\nWEST\n,5\n');
  await expect(dialog.getByRole('alert')).toBeVisible();
  await take(page, 'mappings-refused');
  await give('facility,brightpearl_warehouse\nEAST,5\n');
  await dialog.getByRole('button', { name: 'Import 1' }).click();
  await page.getByRole('button', { name: 'Import locations' }).click();
  await give('facility,brightpearl_warehouse\nEAST,2\nWEST,5\n');
  await expect(dialog.getByRole('status')).toBeVisible();
  await take(page, 'mappings-import');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('region', { name: 'Locations' }).scrollIntoViewIfNeeded();
  await take(page, 'mappings-locations');
  await page.goto(`${demo.base}/merchants`);
  await page.getByRole('table', { name: 'Merchants' }).getByRole('link').first().click();
  await page.getByRole('button', { name: 'Export everything' }).click();
  await expect(page.getByText(/It is whole/)).toBeVisible();
  await take(page, 'merchant-exported');
  await page.getByRole('button', { name: 'Erase people' }).click();
  await take(page, 'merchant-erase');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
});

/** A run that two people approve, as each of them sees it. */
test('stock that two people approve', async ({ page, browser }) => {
  test.setTimeout(600_000);
  const hub = new Hub();
  try {
    await hub.begin();
    await hub.firstPerson(page, PASSWORD);
    // One product is wrong by more than a line may correct, and is held; the other is not.
    await hub.disturb(1011, 2);
    await hub.connect({ increases: 'correct', two_people: true, brakes: { line: '3' } });
    const other = await comesIn(browser, hub.base, page, 'Lin', 'Staff');
    await page.goto(`${hub.base}/stock`);
    const waiting = page.getByRole('table', { name: 'Stock runs' }).locator('tbody tr').filter({ hasText: 'Waiting' });
    await waiting.first().getByRole('link').click({ timeout: 200_000 });
    await expect(page.getByRole('region', { name: 'Two people approve this run' })).toBeVisible();
    await take(page, 'run-two-people-first');
    await page.getByRole('button', { name: 'Approve as the first of two' }).click();
    await take(page, 'run-two-people-dialog');
    await page.getByRole('dialog').getByRole('button', { name: 'Say yes' }).click();
    await expect(page.getByRole('button', { name: 'You have approved' })).toBeVisible();
    await take(page, 'run-two-people-said');
    await other.goto(page.url());
    await expect(other.getByRole('button', { name: 'Approve as the second of two' })).toBeVisible();
    await take(other, 'run-two-people-second');
    await other.getByRole('button', { name: 'Approve as the second of two' }).click();
    await other.getByRole('dialog').getByRole('button', { name: /^Correct/ }).click();
    const held = other.getByRole('region', { name: 'Held back' });
    await held.getByRole('checkbox').first().check();
    await held.getByRole('button', { name: 'Approve the chosen lines' }).click();
    await other.getByRole('dialog').getByRole('button', { name: 'Approve the chosen lines' }).click();
    await expect(held.getByRole('group', { name: /^Approved by one/ })).toBeVisible();
    await held.scrollIntoViewIfNeeded();
    await take(other, 'run-held-said');
    await page.reload();
    await page.getByRole('region', { name: 'Held back' }).scrollIntoViewIfNeeded();
    await take(page, 'run-held-second');
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await expect(page.getByRole('dialog', { name: 'Undo this run' }).getByRole('table')).toBeVisible();
    await take(page, 'run-undo');
    await other.context().close();
  } finally {
    await hub.end();
  }
});

/** Lists in which something stands that needs somebody, and what people add for programs and for each other. */
test('what needs somebody, and what is added', async ({ page, browser }) => {
  test.setTimeout(600_000);
  const hub = new Hub();
  try {
    await hub.begin();
    const first = await (await browser.newContext()).newPage();
    await first.goto(hub.setup);
    await first.getByRole('heading', { level: 1 }).waitFor();
    await take(first, 'setup');
    await first.context().close();
    await hub.firstPerson(page, PASSWORD);
    await hub.connect({ increases: 'correct' });
    const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
    for (const channel of ['orders', 'shipments']) {
      await hub.api('PUT', `/connections/${connection?.id}/channels/${channel}`, { enabled: true, every_seconds: 3 });
    }
    // A product that nobody has mapped, and a shipping method that nobody has.
    for (const product of [1040, 1040, 1011, 1012]) await hub.place(product, 2);
    writeFileSync(join(hub.folder, 'out', 'shp_w1_999999_20260101000000.csv'), 'no shipment\n');
    await page.goto(`${hub.base}/orders`);
    await expect(page.getByRole('table', { name: 'Orders' }).locator('tbody tr').filter({ hasText: 'Held' })).toHaveCount(4, { timeout: 60_000 });
    await page.getByRole('combobox', { name: 'State' }).click();
    await page.getByRole('option', { name: 'Held' }).click();
    await page.getByRole('option', { name: 'Error' }).click();
    await take(page, 'orders-filtering');
    await page.keyboard.press('Escape');
    await page.getByRole('checkbox', { name: 'Choose all that are shown' }).check();
    await take(page, 'orders-chosen');
    await page.getByRole('region', { name: 'Several at once' }).getByRole('button', { name: 'Archive' }).click();
    await expect(page.getByRole('dialog')).toContainText('Would be done to');
    await take(page, 'orders-bulk-preview');
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click();
    await page.getByRole('table', { name: 'Orders' }).getByRole('link').first().click();
    await page.getByRole('heading', { name: /^Order \d/, level: 1 }).waitFor();
    await take(page, 'order-held');
    await page.getByRole('button', { name: 'Edit', exact: true }).first().click();
    await expect(page.getByRole('dialog')).toContainText('Nothing is changed yet');
    await take(page, 'order-edit');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.goto(`${hub.base}/exceptions`);
    await expect(page.getByRole('region', { name: /^Orders held/ }).first()).toBeVisible();
    await expect(page.getByRole('heading', { name: 'Everything that came in could be used' })).toHaveCount(0, { timeout: 60_000 });
    await take(page, 'exceptions-some');
    await page.goto(`${hub.base}/stock?tab=drift`);
    await page.getByRole('button', { name: 'Compare both sides now' }).click();
    await expect(page.getByRole('table')).toBeVisible({ timeout: 60_000 });
    await settled(page);
    await take(page, 'drift-some');

    await hub.api('POST', '/keys', { name: 'Price list of the shop', role: 'read', merchant: 'First brand', days: 90 });
    await hub.api('POST', '/alerts/channels', { kind: 'chat', name: 'The desk', url: 'https://chat.example.test/hook' });
    const { webhook } = await hub.api<{ webhook: { id: string } }>('POST', '/webhooks', {
      name: 'Bookkeeping',
      url: 'https://books.example.test/millrace',
      events: ['order', 'shipment'],
    });
    await hub.api('POST', `/webhooks/${webhook.id}/test`);
    await comesIn(browser, hub.base, page, 'Lin', 'Merchant', 'First brand');
    for (const [name, path] of [['overview', '/'], ['issues', '/issues'], ['keys', '/keys'], ['alerts', '/alerts'], ['webhooks', '/webhooks'], ['audit', '/audit']]) {
      await page.goto(`${hub.base}${path}`);
      await settled(page);
      await take(page, `${name}-some`);
    }
    await page.goto(`${hub.base}/webhooks`);
    await page.getByRole('table', { name: 'Deliveries to Bookkeeping' }).getByRole('link').first().click();
    await page.getByRole('heading', { name: /^Delivery of/ }).waitFor();
    await take(page, 'delivery');
    await page.goto(`${hub.base}/keys`);
    await page.getByRole('button', { name: 'Make a key' }).click();
    await take(page, 'keys-make');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

    await page.goto(`${hub.base}/people`);
    await page.getByRole('table', { name: 'People' }).getByRole('link', { name: 'Lin' }).click();
    await page.getByRole('button', { name: 'New password' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Make the link' }).click();
    const shown = await page.getByRole('status').filter({ hasText: '/reset#' }).innerText();
    await take(page, 'person-reset');
    const lin = await (await browser.newContext()).newPage();
    await lin.goto(`${hub.base}${/\/reset#\w+/.exec(shown)?.[0] ?? ''}`);
    await lin.getByRole('heading', { level: 1 }).waitFor();
    await take(lin, 'reset');
    await lin.context().close();

    await page.goto(`${hub.base}/safety`);
    await page.getByRole('button', { name: 'Freeze sending' }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('The warehouse counts');
    await page.getByRole('dialog').getByRole('button', { name: 'Freeze sending' }).click();
    await expect(page.getByRole('region', { name: 'Sending is frozen' })).toBeVisible();
    await take(page, 'safety-frozen');
    await page.goto(`${hub.base}/audit`);
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    await expect(page.getByRole('region', { name: 'Every row is as it was written' })).toBeVisible();
    await take(page, 'audit-verified');
  } finally {
    await hub.end();
  }
});

/** Pictures of every page, for people to look at: web/screenshots, which git ignores. */
test('every page, wide and on a phone, light and dark', async ({ page, demo }) => {
  test.setTimeout(600_000);
  await demo.signIn(page);
  const all = await places(demo, page);
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const scheme of SCHEMES) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: scheme });
      for (const [name, path] of all) {
        await page.goto(demo.base + path);
        await settled(page);
        await page.screenshot({ path: `screenshots/${name}-${size}-${scheme}.png`, fullPage: false });
      }
    }
  }
});

/** An installation in which nothing is yet, what is not there, and invitations with and without a mail server. */
test('nothing yet, nothing there, and invitations', async ({ page, browser }) => {
  test.setTimeout(600_000);
  const mail = new MailServer();
  const hub = new Hub();
  const address = `127.0.0.1:${await freePort()}`;
  const smtp = ['--smtp', await mail.begin(), '--mail-from', 'Millrace <millrace@example.test>'];
  await hub.serve('--listen', address, '--public-url', `http://${address}`, ...smtp);
  try {
    await hub.firstPerson(page, PASSWORD);
    const all = [...PLACES.map(([name, path]) => [`empty-${name}`, path]), ...GONE.map(([name, path]) => [`gone-${name}`, path])];
    for (const [name = '', path = ''] of [...all, ['gone-page', '/nowhere']]) {
      await page.goto(hub.base + path);
      await settled(page);
      await take(page, name);
    }
    await page.goto(`${hub.base}/people`);
    for (const [name, state] of [['Grace', 'sent'], ['Joan', 'not-sent']] as const) {
      await page.getByRole('button', { name: 'Invite a person' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('E-mail address').fill(`${name.toLowerCase()}@example.com`);
      await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
      await dialog.getByRole('combobox', { name: 'Role' }).click();
      await page.getByRole('option', { name: /^Staff/ }).click();
      await dialog.getByRole('button', { name: 'Make the link' }).click();
      const shown = page.getByRole('status').filter({ hasText: '/invitation#' });
      await expect(shown).toContainText(state === 'sent' ? 'was sent' : 'could not');
      await take(page, `people-${state}`);
      if (state === 'sent') {
        const theirs = await (await browser.newContext()).newPage();
        await theirs.goto(`${hub.base}${/\/invitation#\w+/.exec(await shown.innerText())?.[0] ?? ''}`);
        await theirs.getByRole('heading', { name: 'Welcome to Millrace' }).waitFor();
        await take(theirs, 'invitation');
        await theirs.context().close();
        await mail.end();
      }
    }
  } finally {
    await hub.end();
  }
});

/** A connection with which nothing has happened yet. */
test('a new connection', async ({ page }) => {
  test.setTimeout(600_000);
  const hub = new Hub();
  try {
    await hub.begin();
    await hub.firstPerson(page, PASSWORD);
    for (const [name, path] of untouched(await hub.made({}))) {
      await page.goto(hub.base + path);
      await settled(page);
      await take(page, `new-${name}`);
    }
  } finally {
    await hub.end();
  }
});
