import { mkdirSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test } from './demo';
import { places, settled } from './places';

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

async function pick(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole('combobox', { name: label }).click();
  await page.getByRole('option', { name: option }).first().click();
  await page.keyboard.press('Escape');
}

/** The path of docs/first-connection.md, as somebody new would go it. */
test('the first connection, step by step', async ({ page, demo }) => {
  test.setTimeout(600_000);
  const [, brightpearl = ''] = await demo.says(/stands in on (http:[^;]+);/);
  const [, folder = ''] = await demo.says(/the warehouse is the folder (\S+)\./);
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
  await pick(page, 'Transport', 'Folder on this machine');
  await page.getByRole('textbox', { name: 'Folder', exact: true }).fill(folder);
  await take(page, 'wizard-3-warehouse');
  await page.getByRole('button', { name: 'Keep and test' }).click();
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
  await page.getByRole('button', { name: 'Keep and test' }).click();
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
