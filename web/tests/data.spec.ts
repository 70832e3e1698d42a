import { readFile } from 'node:fs/promises';
import { expect, test as base, type Locator, type Page } from '@playwright/test';
import { Hub } from './hub';
import { faults, PASSWORD } from './steps';

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
  const [connection] = await hub.api<{ id: string }[]>('GET', '/connections');
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
    const { name, content } = await downloaded(page, page.getByRole('link', { name: `Export ${called}`, exact: true }));
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
