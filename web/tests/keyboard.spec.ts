import { expect, test as base, type Locator, type Page } from '@playwright/test';
import { Hub } from './hub';
import { faults, PASSWORD } from './steps';

/** A product that nobody has mapped. */
const PRODUCT = 1010;

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
  // Somebody who has no mouse.
  desk: [
    async ({ browser, hub }, use) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(hub.setup);
      await type(page, page.getByLabel('E-mail address'), 'ada@example.com');
      await type(page, page.getByLabel('Your name'), 'Ada');
      await type(page, page.getByLabel('Password').first(), PASSWORD);
      await type(page, page.getByLabel('The same once more'), PASSWORD);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Nothing is connected yet' }).waitFor();
      await use(page);
      await context.close();
      expect(complaints).toEqual([]);
    },
    { scope: 'worker' },
  ],
});

test.describe.configure({ mode: 'serial' });

/** More steps than this nobody goes for one thing. */
const STEPS = 60;

/** Goes on with a key until something has the focus, which must be seen there. */
async function to(page: Page, target: Locator, key = 'Tab'): Promise<void> {
  await target.waitFor({ state: 'attached' });
  await expect(target).toBeEnabled();
  const has = () => target.evaluate((element) => element === document.activeElement).catch(() => false);
  for (let step = 0; step < STEPS; step += 1) {
    if (await has()) {
      const seen = await target.evaluate((element) => {
        const style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        const inView = box.bottom > 0 && box.top < window.innerHeight;
        // Fields show it by their border.
        return inView && (style.outlineStyle !== 'none' || element.matches('input, textarea'));
      });
      expect(seen, `the focus is seen at ${target}`).toBe(true);
      return;
    }
    await page.keyboard.press(key);
  }
  const at = await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200));
  throw new Error(`${STEPS} steps did not lead to ${target}; the focus is at ${at}`);
}

async function press(page: Page, target: Locator, key = 'Enter'): Promise<void> {
  await to(page, target);
  await page.keyboard.press(key);
}

async function type(page: Page, target: Locator, text: string): Promise<void> {
  await to(page, target);
  await page.keyboard.press('Control+A');
  await page.keyboard.type(text);
}

/** Chooses from a list that opens. */
async function choose(page: Page, label: string, option: string): Promise<void> {
  await to(page, page.getByRole('combobox', { name: label }));
  await page.keyboard.press('ArrowDown');
  const wanted = page.getByRole('option', { name: option }).first();
  await wanted.waitFor();
  for (let step = 0; step < STEPS; step += 1) {
    if ((await wanted.getAttribute('data-combobox-selected')) === 'true') break;
    await page.keyboard.press('ArrowDown');
  }
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
}

/** What has the focus, by its name: somebody who does not see the page knows where they are. */
async function isAt(target: Locator): Promise<void> {
  await expect(target).toBeFocused();
}

test('the wizard is gone through without a mouse', async ({ desk: page, hub }) => {
  test.setTimeout(300_000);
  for (let count = 0; count < 3; count += 1) await hub.place(PRODUCT, 1);
  // Where one comes to a page, its heading is where one is.
  await isAt(page.getByRole('heading', { name: 'Overview', level: 1 }));
  await press(page, page.getByRole('link', { name: 'Add a connection' }));
  await isAt(page.getByRole('heading', { name: 'Add a connection', level: 1 }));
  await type(page, page.getByLabel('Name of the connection'), 'Shop to shed');
  await page.keyboard.press('Enter');
  await isAt(page.getByRole('group', { name: 'Step 2 of 5: Merchant Information' }));
  await type(page, page.getByLabel('Name of the merchant'), 'First brand');
  await page.keyboard.press('Enter');
  await isAt(page.getByRole('group', { name: 'Step 3 of 5: Warehouse Setup' }));

  const warehouse = page.getByRole('region', { name: 'Warehouse Setup' });
  await type(page, warehouse.getByLabel('Name of the warehouse'), 'Shed');
  await choose(page, 'Platform', 'DSFX');
  await choose(page, 'Transport', 'Folder on this machine');
  await type(page, warehouse.getByRole('textbox', { name: 'Folder', exact: true }), hub.folder);
  await press(page, warehouse.getByRole('button', { name: 'Test connection' }));
  const works = page.getByRole('status').filter({ hasText: 'it can be worked with' });
  await expect(works).toBeVisible({ timeout: 30_000 });
  await press(page, warehouse.getByRole('button', { name: 'Next' }));

  await isAt(page.getByRole('group', { name: 'Step 4 of 5: Store Setup', exact: true }));
  const store = page.getByRole('region', { name: 'Store Setup' });
  await type(page, store.getByLabel('Name of the store'), 'Shop');
  await choose(page, 'Datacenter Code', 'eu1');
  await type(page, store.getByLabel('Account ID'), hub.account);
  await type(page, store.getByLabel('API User Email'), hub.email);
  await type(page, store.getByLabel('API User Password'), hub.password);
  await type(page, store.getByLabel('Base address'), hub.brightpearl);
  await press(page, store.getByRole('button', { name: 'Test connection' }));
  await expect(works).toBeVisible({ timeout: 30_000 });
  await press(page, store.getByRole('button', { name: 'Next' }));

  await isAt(page.getByRole('group', { name: 'Step 4 of 5: Store Setup, what to import' }));
  await choose(page, 'Import from these statuses', 'Ready to ship');
  await choose(page, 'Warehouse Name', 'Example 3PL');
  await press(page, page.getByRole('button', { name: /more settings/ }));
  await expect(page.getByRole('combobox', { name: 'Shipping method where none is mapped' })).toBeVisible();
  await choose(page, 'Shipping method where none is mapped', 'Courier');
  await press(page, page.getByRole('button', { name: 'Make the connection' }));
  await press(page, page.getByRole('button', { name: 'Run the pre-flight' }));
  await expect(page.getByRole('region', { name: 'What would have become of them' })).toContainText('meant to go', { timeout: 60_000 });
  await press(page, page.getByRole('link', { name: 'To the connection, to switch it on' }));
  await isAt(page.getByRole('heading', { name: 'Shop to shed', level: 1 }));
  await press(page, page.getByRole('button', { name: 'Switch on', exact: true }));
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('What will happen');
  await press(page, dialog.getByRole('button', { name: 'Switch on' }));
  await isAt(page.getByRole('dialog', { name: 'Shop to shed is on' }));
  await press(page, dialog.getByRole('link', { name: 'Follow the first order' }));
  await isAt(page.getByRole('heading', { name: 'Follow the first order', level: 1 }));
  expect(await faults(page)).toEqual([]);
});

test('orders are filtered, looked at as a view, and changed several at once without a mouse', async ({ desk: page, hub }) => {
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  await hub.api('PUT', `/connections/${connection?.id}/channels/orders`, { enabled: true, every_seconds: 3 });
  await page.goto(`${hub.base}/`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  // The first step leads past the menu.
  await page.keyboard.press('Tab');
  await isAt(page.getByRole('link', { name: 'To the content' }));
  await page.keyboard.press('Enter');
  await isAt(page.getByRole('main'));
  await page.goto(`${hub.base}/`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await press(page, page.getByRole('link', { name: 'Orders', exact: true }));
  await isAt(page.getByRole('heading', { name: 'Orders', level: 1 }));
  const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
  await expect(rows.filter({ hasText: 'Held' })).toHaveCount(3, { timeout: 60_000 });

  await choose(page, 'State', 'Closed');
  await expect(page.getByRole('heading', { name: 'No order is like this' })).toBeVisible();
  await press(page, page.getByRole('button', { name: 'Clear', exact: true }));
  await expect(rows).toHaveCount(3);
  // What was pressed is gone with the filter; one is still at the filters.
  await isAt(page.getByRole('search', { name: 'Filter orders' }));
  await choose(page, 'State', 'Held');
  await expect(page).toHaveURL(/state=held/);
  await press(page, page.getByRole('button', { name: 'Views' }));
  await page.getByRole('menuitem').first().waitFor();
  await to(page, page.getByRole('menuitem', { name: /Save what is shown/ }), 'ArrowDown');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await type(page, dialog.getByLabel('Name'), 'What waits');
  await page.keyboard.press('Enter');
  await expect(dialog).toHaveCount(0);

  for (const row of [0, 1]) await press(page, rows.nth(row).getByRole('checkbox'), 'Space');
  const several = page.getByRole('region', { name: 'Several at once' });
  await expect(several).toContainText('2 chosen');
  // The bar stands above the rows: back to it.
  await to(page, several.getByRole('button', { name: 'Archive' }), 'Shift+Tab');
  await page.keyboard.press('Enter');
  await expect(dialog).toContainText('Would be done to 2');
  await press(page, dialog.getByRole('button', { name: 'Leave it' }));
  await expect(dialog).toHaveCount(0);
  // Back to what opened it.
  await isAt(several.getByRole('button', { name: 'Archive' }));
  await page.keyboard.press('Enter');
  await press(page, dialog.getByRole('button', { name: 'Archive: 2 orders' }));
  await expect(dialog).toContainText('Done to 2');
  await press(page, dialog.getByRole('button', { name: 'Close', exact: true }).last());
  await expect(dialog).toHaveCount(0);
  await expect(rows).toHaveCount(1);
  // The bar is gone with what was chosen; one is still on the page, and not before it.
  await isAt(page.getByRole('heading', { name: 'Orders', level: 1 }));
  expect(await faults(page)).toEqual([]);
});

test('an exception is mended and its orders are tried again without a mouse', async ({ desk: page, hub }) => {
  // Then the SKU is all that keeps the order.
  const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
  await hub.api('PUT', `/connections/${connection?.id}/mappings`, { ship_methods: [{ source: 49, carrier: 'UPS', service: 'Ground' }] });
  await press(page, page.getByRole('link', { name: 'Exceptions' }));
  await isAt(page.getByRole('heading', { name: 'Exceptions', level: 1 }));
  const group = page.getByRole('region', { name: /^Orders held/ });
  await press(page, group.getByRole('button', { name: 'Map this SKU' }));
  const dialog = page.getByRole('dialog');
  await isAt(dialog.getByLabel(`What the warehouse calls ${hub.sku(PRODUCT)}`));
  // Let go of, and opened again: one is back where one was.
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await isAt(group.getByRole('button', { name: 'Map this SKU' }));
  await press(page, group.getByRole('button', { name: 'Try all again' }));
  await press(page, dialog.getByRole('button', { name: 'Close', exact: true }));
  await expect(dialog).toHaveCount(0);
  await isAt(group.getByRole('button', { name: 'Try all again' }));
  await to(page, group.getByRole('button', { name: 'Map this SKU' }), 'Shift+Tab');
  await page.keyboard.press('Enter');
  await type(page, dialog.getByLabel(`What the warehouse calls ${hub.sku(PRODUCT)}`), `W-${hub.sku(PRODUCT)}`);
  await page.keyboard.press('Enter');
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('heading', { name: 'No order and no change needs you' })).toBeVisible({ timeout: 60_000 });
  // The group is gone; the focus is on the page and not before it.
  await isAt(page.getByRole('heading', { name: 'Exceptions', level: 1 }));
  expect(await faults(page)).toEqual([]);
});
