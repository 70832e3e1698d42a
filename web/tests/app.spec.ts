import AxeBuilder from '@axe-core/playwright';
import type { Browser, Page } from '@playwright/test';
import { expect, ORDERS, test, type Demo } from './demo';
import { places, settled } from './places';

test.describe.configure({ mode: 'serial' });

/** Everything that makes a page unusable for somebody: axe calls it serious or critical. */
async function faults(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`));
}

test('orders flow on screen without a reload', async ({ page, demo }) => {
  await demo.signIn(page);
  await page.getByRole('link', { name: 'Orders', exact: true }).click();
  const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
  await expect(rows.first()).toBeVisible({ timeout: 60_000 });
  // Whatever comes from here on comes without anybody asking for it.
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  await expect(rows).toHaveCount(ORDERS, { timeout: 60_000 });
  await expect(rows.filter({ hasText: 'Closed' })).toHaveCount(ORDERS, { timeout: 90_000 });
  expect(await page.evaluate(() => 'stayed' in window)).toBe(true);
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
  await page.getByRole('button', { name: 'Undo' }).click();
  const dialog = page.getByRole('dialog', { name: 'Undo this run' });
  await expect(dialog.getByRole('table').locator('tbody tr')).toHaveCount(25);
  await dialog.getByRole('checkbox').first().check();
  await dialog.getByLabel('Reason').fill('counted wrongly');
  await dialog.getByRole('button', { name: 'Undo what is chosen' }).click();
  await expect(page.getByRole('link', { name: 'Taken back' })).toHaveCount(1);
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
  await page.reload();
  await page.getByRole('combobox', { name: 'Import from these statuses' }).click();
  await page.getByRole('option', { name: 'Ready to ship' }).click();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Make the connection' }).click();
  await expect(page.getByRole('region', { name: 'Pre-flight' })).toBeVisible();
  await page.getByRole('button', { name: 'To the connection, to switch it on' }).click();
  await expect(page.getByRole('heading', { name: 'Second', level: 1 })).toBeVisible();
  await page.getByRole('button', { name: 'Switch on', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('What will happen');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('button', { name: 'Switch on', exact: true })).toBeVisible();
});

/** Invites a merchant's person on screen and signs in as them, in a browser of their own. */
async function comeAs(browser: Browser, demo: Demo, page: Page, name: string, merchant: string): Promise<Page> {
  await page.goto(`${demo.base}/people`);
  await page.getByRole('button', { name: 'Invite a person' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('E-mail address').fill(`${name.toLowerCase()}@example.com`);
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await dialog.getByRole('combobox', { name: 'Merchants' }).click();
  await page.getByRole('option', { name: merchant }).click();
  await page.keyboard.press('Tab');
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  const shown = await page.getByRole('status').filter({ hasText: '/invitation#' }).innerText();
  const link = /\/invitation#\w+/.exec(shown);
  const theirs = await (await browser.newContext()).newPage();
  await theirs.goto(`${demo.base}${link?.[0] ?? ''}`);
  await expect(theirs.getByRole('heading', { name: 'Welcome to Millrace' })).toBeVisible();
  expect(await faults(theirs)).toEqual([]);
  await theirs.getByLabel('Password').first().fill('nine purple teapots sing');
  await theirs.getByLabel('The same once more').fill('nine purple teapots sing');
  await theirs.getByRole('button', { name: 'Begin' }).click();
  await expect(theirs.getByRole('heading', { name: 'Overview' })).toBeVisible();
  return theirs;
}

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
  const own = await comeAs(browser, demo, page, 'Ada', 'Example merchant');
  await own.getByRole('link', { name: 'Orders', exact: true }).click();
  await expect(own.getByRole('table', { name: 'Orders' }).locator('tbody tr')).toHaveCount(all);
  await expect(own.getByRole('checkbox')).toHaveCount(0);
  await expect(own.getByRole('link', { name: 'People' })).toHaveCount(0);

  const other = await comeAs(browser, demo, page, 'Grace', 'Other brand');
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

for (const scheme of ['light', 'dark'] as const) {
  test(`no page has a serious fault for axe (${scheme})`, async ({ page, demo }) => {
    test.setTimeout(300_000);
    await page.emulateMedia({ colorScheme: scheme });
    await demo.signIn(page);
    const found: Record<string, string[]> = {};
    for (const [name, path] of await places(demo, page)) {
      await page.goto(demo.base + path);
      await settled(page);
      const here = await faults(page);
      if (here.length > 0) found[name] = here;
    }
    expect(found).toEqual({});
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
  await demo.signIn(page);
  await page.goto(`${demo.base}/connections`);
  await page.getByRole('table').getByRole('link').first().click();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('button', { name: 'Ask somebody else for them' }).click();
  const shown = await page.getByRole('status').filter({ hasText: '/hand-off#' }).innerText();
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
  await expect(theirs.getByRole('status')).toContainText('The account was reached');
  // Once.
  await theirs.reload();
  await expect(theirs.getByRole('heading', { name: 'This link does not open' })).toBeVisible();
});
