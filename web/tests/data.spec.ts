import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { expect, test as base, type Locator, type Page } from '@playwright/test';
import { Hub } from './hub';
import { faults, keepIntercepting, PASSWORD } from './steps';

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
  // An administrator who stays signed in, and whose console is read.
  desk: [
    async ({ browser, hub }, use) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      await keepIntercepting(context);
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      await hub.firstPerson(page, PASSWORD);
      await use(page);
      await context.close();
      expect(complaints).toEqual([]);
    },
    { scope: 'worker' },
  ],
});

test.describe.configure({ mode: 'serial' });

/** Gives the dialog a file. */
async function give(dialog: Locator, text: string | Buffer): Promise<void> {
  await dialog.locator('input[type=file]').setInputFiles({ name: 'table.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
}

/** What a button or link downloads. */
async function downloaded(page: Page, button: Locator): Promise<{ name: string; content: Buffer }> {
  const coming = page.waitForEvent('download');
  await button.click();
  const download = await coming;
  return { name: download.suggestedFilename(), content: await readFile(await download.path()) };
}

/** Each table: the name of its file, its entries in words, and a file of it as it is written. */
const TABLES: [file: string, called: string, csv: string][] = [
  ['listings.csv', 'SKUs', 'brightpearl_sku,warehouse_sku\r\nSKU-A,W-A\r\n'],
  ['kits.csv', 'bundles', 'brightpearl_sku,part_sku,units\r\nSET,SKU-A,2\r\nSET,SKU-B,1\r\n'],
  ['ship_methods.csv', 'ship methods', 'brightpearl_method,carrier,service\r\n49,UPS,Ground\r\n'],
  ['source_methods.csv', 'carriers back', 'carrier,service,brightpearl_method\r\nDPD,,49\r\n'],
  ['locations.csv', 'locations', 'facility,brightpearl_warehouse\r\nEAST,5\r\n'],
];

test('every translation table is taken in from a file, after a look, and comes out as one', async ({ desk: page, hub }) => {
  await hub.connect({ increases: 'correct' });
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  // What connecting mapped goes, so that a file alone says what is there.
  await hub.api('PUT', `/connections/${connection?.id}/mappings`, { listings: [] });
  await page.goto(`${hub.base}/connections/${connection?.id}/mappings`);
  const dialog = page.getByRole('dialog');
  for (const [file, called, csv] of TABLES) {
    await page.getByRole('button', { name: `Import ${called}`, exact: true }).click();
    await give(dialog, csv);
    await expect(dialog.getByRole('status')).toHaveText('1 is new.');
    await dialog.getByRole('button', { name: 'Import 1', exact: true }).click();
    await expect(dialog).toHaveCount(0);
    const { name, content } = await downloaded(page, page.getByRole('link', { name: `Export all as CSV: ${called}`, exact: true }));
    expect(name).toBe(file);
    expect(content.toString()).toBe(csv);
    // The same again would change nothing.
    await page.getByRole('button', { name: `Import ${called}`, exact: true }).click();
    await give(dialog, content);
    await expect(dialog.getByRole('status')).toHaveText('1 is there already.');
    await expect(dialog.getByRole('button', { name: 'Import', exact: true })).toBeDisabled();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(dialog).toHaveCount(0);
  }
  await expect(page.getByRole('table', { name: 'Ship methods' })).toContainText('Tracked 24');
  await expect(page.getByRole('table', { name: 'Locations' })).toContainText('Example 3PL');
});

test('a file that cannot be used says which lines, and what is mapped differently stays unless it is to be replaced', async ({ desk: page }) => {
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Import ship methods' }).click();
  await give(dialog, 'Tracked 24,UPS,Ground\n\nTracked 24,,\n');
  const refused = dialog.getByRole('alert');
  await expect(refused.getByRole('row', { name: /line 3/ })).toContainText('carrier is empty');
  await expect(refused).toContainText('the columns are brightpearl_method, carrier, service');
  await expect(dialog.getByRole('button', { name: 'Import', exact: true })).toBeDisabled();
  expect(await faults(page)).toEqual([]);
  await give(dialog, 'No such method,UPS,Ground\n');
  await expect(refused.getByRole('row', { name: /line 1/ })).toContainText('No such method');
  await give(dialog, Buffer.from([0xff, 0xfe, 0x41, 0x00]));
  await expect(refused).toContainText('CSV UTF-8');

  await give(dialog, 'Tracked 24,UPS,Express\n');
  await expect(dialog.getByRole('status')).toHaveText('1 is mapped differently and stays.');
  await expect(dialog.getByRole('table', { name: 'Left as they are' }).getByRole('row', { name: /Tracked 24/ })).toContainText('UPS Express');
  await dialog.getByLabel('Replace what is mapped differently').check();
  await expect(dialog.getByRole('status')).toHaveText('1 is replaced.');
  expect(await faults(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Import 1', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('table', { name: 'Ship methods' }).getByRole('row', { name: /Tracked 24/ })).toContainText('Express');
});

interface Order {
  id: string;
  number: string;
  state: string;
  deliver_to: { name: string; line1: string; country: string };
}

/** Places orders that are shipped and closed, and one that stays held. The closed ones. */
async function finishedOrders(hub: Hub): Promise<Order[]> {
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  const listings = [[hub.sku(1010), `W-${hub.sku(1010)}`]];
  await hub.api('PUT', `/connections/${connection?.id}/mappings`, { listings });
  for (const channel of ['orders', 'shipments']) {
    await hub.api('PUT', `/connections/${connection?.id}/channels/${channel}`, { enabled: true, every_seconds: 2 });
  }
  await hub.place(1010);
  await hub.place(1010);
  // Nobody has mapped this one.
  await hub.place(1012);
  const states = async () => (await hub.api<{ items: Order[] }>('GET', '/orders')).items.map(({ state }) => state).sort();
  await expect.poll(states, { timeout: 120_000, message: 'two orders are closed and one is held' }).toEqual(['closed', 'closed', 'held']);
  const { items } = await hub.api<{ items: Order[] }>('GET', '/orders?state=closed');
  return Promise.all(items.map((order) => hub.api<Order>('GET', `/orders/${order.id}`)));
}

test("a merchant's data is taken along as one file", async ({ desk: page, hub }) => {
  test.setTimeout(300_000);
  const [order] = await finishedOrders(hub);
  await page.goto(`${hub.base}/merchants`);
  await page.getByRole('link', { name: 'First brand', exact: true }).first().click();
  await expect(page.getByRole('heading', { name: 'First brand', level: 1 })).toBeVisible();
  expect(await faults(page)).toEqual([]);
  const take = page.getByRole('region', { name: 'Take everything along' });
  const { name, content } = await downloaded(page, take.getByRole('button', { name: 'Export everything' }));
  expect(name).toMatch(/^mer_\w+-\w+\.tar\.gz$/);
  const archive = gunzipSync(content).toString();
  expect(archive).toContain('manifest.json');
  expect(archive).toContain(order?.deliver_to.name);
  await expect(take.getByRole('status')).toContainText('It is whole');
  // What has come is found again by whoever went to other pages meanwhile.
  await page.getByRole('link', { name: 'Merchants' }).first().click();
  await page.getByRole('link', { name: 'First brand', exact: true }).first().click();
  await expect(take.getByRole('status')).toContainText('It is whole');

  // One that is slow is stopped; one that is refused says why.
  await page.route('**/export', () => undefined);
  await take.getByRole('button', { name: 'Export everything again' }).click();
  await expect(take.getByRole('status')).toContainText('It is being written');
  await take.getByRole('button', { name: 'Stop' }).click();
  await expect(take.getByRole('status')).toHaveCount(0);
  await page.unroute('**/export');
  await page.route('**/export', (route) => route.abort());
  await take.getByRole('button', { name: 'Export everything' }).click();
  await expect(take.getByRole('alert')).toContainText('Millrace did not answer');
  await page.unroute('**/export');
});

test('a warehouse that calls gets a key that opens its desk and nothing else', async ({ desk: page, hub }) => {
  await hub.api('POST', '/warehouses', { merchant: 'First brand', name: 'Acme 3PL', platform: 'warehouse_api', settings: { carriers: 'UPS' } });
  await page.goto(`${hub.base}/keys`);
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Make a key' }).click();
  await dialog.getByLabel('What it is for').fill('Their system');
  await dialog.getByRole('combobox', { name: 'What it may do' }).click();
  await page.getByRole('option', { name: /as a warehouse/ }).click();
  // One that Millrace calls has no use for a key.
  await dialog.getByRole('combobox', { name: 'As this warehouse' }).click();
  await page.getByRole('option', { name: /^Shed/ }).click();
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await expect(dialog.getByRole('alert')).toContainText('does not collect its requests from here');
  await dialog.getByRole('combobox', { name: 'As this warehouse' }).click();
  await page.getByRole('option', { name: /^Acme 3PL/ }).click();
  expect(await faults(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Make it' }).click();
  const key = /mr_\w+/.exec(await page.getByRole('status').filter({ hasText: 'mr_' }).innerText())?.[0] ?? '';
  await expect(page.getByRole('row', { name: /^Their system/ })).toContainText('What Acme 3PL does');
  const asked = (path: string) => fetch(`${hub.base}/api/v1${path}`, { headers: { authorization: `Bearer ${key}` } });
  expect((await asked('/desk/requests')).status).toBe(200);
  expect((await asked('/orders')).status).toBe(403);
});

test('people are erased from what is finished, with the password given once more', async ({ desk: page, hub }) => {
  const { items } = await hub.api<{ items: Order[] }>('GET', '/orders?state=closed');
  const read = () => Promise.all(items.map((order) => hub.api<Order>('GET', `/orders/${order.id}`)));
  const [before] = await read();
  expect(before?.deliver_to.line1).not.toBe('');
  const erase = page.getByRole('region', { name: 'Erase people' });
  await page.goto(`${hub.base}/merchants`);
  await page.getByRole('link', { name: 'First brand', exact: true }).first().click();
  await expect(erase).toContainText('Finished orders with people in them2');
  await expect(erase).toContainText('because they are not finished1');
  await erase.getByRole('button', { name: 'Erase people' }).click();
  const dialog = page.getByRole('dialog', { name: 'Erase people of First brand' });
  await expect(dialog).toContainText('The people in 2 finished orders are erased, for good');
  expect(await faults(page)).toEqual([]);
  await dialog.getByLabel('Reason').fill('asked to be forgotten');

  // An order that is finished meanwhile is not erased unseen.
  const held = await hub.api<{ items: Order[] }>('GET', '/orders?state=held');
  await hub.api('POST', `/orders/${held.items[0]?.id}/archive`, {});
  await dialog.getByRole('button', { name: 'Erase for good' }).click();
  await expect(dialog.getByRole('alert')).toContainText('nothing was erased');
  await expect(dialog).toContainText('The people in 3 finished orders are erased');
  expect((await read())[0]?.deliver_to.line1).toBe(before?.deliver_to.line1);

  // As it would be ten minutes after the sign-in.
  const wanted = { type: 'proof_needed', title: 'Password needed', status: 401, detail: 'this needs your password', remedy: 'Give it once more.' };
  await page.route('**/erasure', (route) => route.fulfill({ status: 401, json: wanted, contentType: 'application/problem+json' }), { times: 1 });
  await dialog.getByRole('button', { name: 'Erase for good' }).click();
  const proof = page.getByRole('dialog', { name: 'Your password once more' });
  await proof.getByLabel('Password').first().fill(PASSWORD);
  await proof.getByRole('button', { name: 'Go on' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByText('The people of 3 finished orders are erased.')).toBeVisible();
  await expect(erase).toContainText('There is nobody to erase');
  await expect(erase.getByRole('button', { name: 'Erase people' })).toBeDisabled();
  for (const order of await read()) {
    expect(order.deliver_to.line1).not.toBe(before?.deliver_to.line1);
    expect(order.deliver_to.country).toBe(before?.deliver_to.country);
  }
});
