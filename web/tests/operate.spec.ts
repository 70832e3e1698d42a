import { expect, test as base, type Locator, type Page } from '@playwright/test';
import { Hub } from './hub';
import { faults, keepIntercepting, PASSWORD } from './steps';

/** Every wait is so many times shorter: what must be wrong for long before it is a finding is so within the test. */
const FACTOR = 10;
/** What changed within this time is on its way, to the census; in milliseconds. */
const GRACE = 300_000 / FACTOR;

/** A product that is wrong in Brightpearl. */
const WRONG = 1010;
/** Of orders that are shipped. */
const SHIPS = 1011;
/** One that nobody has mapped. */
const UNMAPPED = 1012;
/** Of an order that is not this connection's, and yet keeps goods set aside. */
const RESERVED = 1013;
/** Of one that has a goods-out note which belongs to nothing. */
const NOTED = 1014;
/** *New phone order*: nothing with it is imported. */
const ELSEWHERE = 3;

/** What was there before anybody came. */
interface Shop {
  connection: string;
  /** The order with the note. */
  stray: number;
  /** When all of it was made. */
  at: number;
}

const test = base.extend<object, { hub: Hub; shop: Shop; desk: Page }>({
  hub: [
    async ({}, use) => {
      const hub = new Hub();
      await hub.begin(FACTOR);
      await use(hub);
      await hub.end();
    },
    { scope: 'worker' },
  ],
  shop: [
    async ({ hub }, use) => {
      const connection = await hub.made({ increases: 'hold' });
      const skus = [WRONG, SHIPS, RESERVED, NOTED].map((product) => hub.sku(product));
      await hub.api('PUT', `/connections/${connection}/mappings`, {
        listings: skus.map((sku) => [sku, `W-${sku}`]),
        ship_methods: [{ source: 49, carrier: 'UPS', service: 'Ground' }],
      });
      for (const channel of ['orders', 'shipments', 'stock']) {
        await hub.api('PUT', `/connections/${connection}/channels/${channel}`, { enabled: true, every_seconds: 20 });
      }
      await hub.api('POST', `/connections/${connection}/enable`, {});
      await hub.disturb(WRONG, 4);
      for (let count = 0; count < 3; count += 1) await hub.place(SHIPS);
      await hub.place(UNMAPPED);
      await hub.place(RESERVED, 3, { status_id: ELSEWHERE });
      const stray = await hub.place(NOTED, 2, { status_id: ELSEWHERE });
      await hub.strayNote(stray);
      await use({ connection, stray, at: Date.now() });
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
      await hub.firstPerson(page, PASSWORD, 'Overview');
      await use(page);
      await context.close();
      expect(complaints).toEqual([]);
    },
    { scope: 'worker' },
  ],
});

test.describe.configure({ mode: 'serial' });

/** Does what a button says, in the dialog that it opens. */
async function confirm(page: Page, button: Locator, label: string, fill: Record<string, string> = {}): Promise<void> {
  const dialog = page.getByRole('dialog');
  await expect(dialog).toHaveCount(0);
  await button.click();
  for (const [field, value] of Object.entries(fill)) await dialog.getByLabel(field).fill(value);
  await dialog.getByRole('button', { name: label, exact: true }).click();
  await expect(dialog).toHaveCount(0);
}

/** Loads the page anew although something goes on, as the browser asks before. */
async function reloaded(page: Page): Promise<void> {
  const agree = (dialog: { accept: () => Promise<void> }) => void dialog.accept();
  page.on('dialog', agree);
  await page.reload();
  page.off('dialog', agree);
}

interface Issue {
  acknowledged_by?: string;
  snoozed_until?: string;
}

test('an issue is taken on, given back and put off', async ({ desk: page, hub, shop }) => {
  await page.goto(`${hub.base}/issues`);
  const issue = page.locator('[data-issue=order_held]');
  await expect(issue).toContainText(`SKU ${hub.sku(UNMAPPED)} is not mapped`, { timeout: 60_000 });
  await issue.getByRole('button', { name: 'I take it on' }).click();
  await expect(issue).toContainText(/Taken on by .*ada@example\.com/);
  const kept = async () => {
    const { items } = await hub.api<{ items: Issue[] }>('GET', `/alerts/issues?kind=order_held&connection=${shop.connection}`);
    return items[0];
  };
  expect((await kept())?.acknowledged_by).toContain('ada@example.com');
  await issue.getByRole('button', { name: 'Give it back' }).click();
  await expect(issue).not.toContainText('Taken on by');
  expect((await kept())?.acknowledged_by).toBeFalsy();
  await confirm(page, issue.getByRole('button', { name: 'Not now' }), 'Say nothing until then');
  await expect(issue).toContainText('Nothing is said of it for now');
  expect(Date.parse((await kept())?.snoozed_until ?? '') - Date.now()).toBeGreaterThan(23 * 3_600_000);
  expect(await faults(page)).toEqual([]);
});

test('an alert policy is made, switched off, changed and removed', async ({ desk: page, hub }) => {
  interface Policy {
    name: string;
    enabled: boolean;
    kinds: string[];
    remind_hours: number;
    quiet?: { from: string; until: string };
  }
  const kept = async () => {
    const { items } = await hub.api<{ items: Policy[] }>('GET', '/alerts/policies');
    return items.find(({ name }) => name === 'Held orders');
  };
  await page.goto(`${hub.base}/alerts`);
  await page.getByRole('button', { name: 'Add a policy' }).click();
  const added = page.getByRole('dialog', { name: 'Add a policy' });
  await added.getByRole('textbox', { name: 'Name', exact: true }).fill('Held orders');
  await added.getByRole('combobox', { name: 'About' }).click();
  await page.getByRole('option', { name: 'Order held' }).click();
  await page.keyboard.press('Tab');
  await added.getByLabel('Remind after hours').fill('4');
  await added.getByRole('button', { name: 'Keep' }).click();
  await expect(added).toHaveCount(0);
  const policy = page.getByRole('group', { name: 'Held orders' });
  await expect(policy).toContainText('Order held; of all connections; told in all places; again every 4 hours.');
  expect(await kept()).toMatchObject({ enabled: true, kinds: ['order_held'], remind_hours: 4 });

  const on = policy.getByRole('switch', { name: 'Held orders is on' });
  await on.click({ force: true });
  await expect(on).not.toBeChecked();
  await expect.poll(async () => (await kept())?.enabled).toBe(false);

  await policy.getByRole('button', { name: 'Edit' }).click();
  const edited = page.getByRole('dialog', { name: 'Policy Held orders' });
  await edited.getByLabel('Quiet from').fill('22:00');
  await edited.getByLabel('Until').fill('06:00');
  await edited.getByRole('button', { name: 'Keep' }).click();
  await expect(edited).toHaveCount(0);
  await expect(policy).toContainText('quiet from 22:00 until 06:00');
  expect(await kept()).toMatchObject({ enabled: false, quiet: { from: '22:00', until: '06:00' } });

  await confirm(page, policy.getByRole('button', { name: 'Remove' }), 'Remove');
  await expect(policy).toHaveCount(0);
  expect(await kept()).toBeUndefined();
});

test('a webhook gets a new secret, which is shown once', async ({ desk: page, hub }) => {
  await page.goto(`${hub.base}/webhooks`);
  await page.getByRole('button', { name: 'Add a webhook' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a webhook' });
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('Bookkeeping');
  await dialog.getByLabel('Address').fill('https://books.example.test/millrace');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  const shown = page.getByRole('status').filter({ hasText: 'whsec_' });
  const secret = async () => /whsec_[\w+/=]+/.exec(await shown.innerText())?.[0];
  const first = await secret();
  const webhook = page.getByRole('region', { name: 'Bookkeeping' });
  await confirm(page, webhook.getByRole('button', { name: 'New secret' }), 'New secret');
  await expect.poll(secret).not.toBe(first);
  // Nobody can see it again.
  await page.reload();
  await expect(webhook).toBeVisible();
  await expect(shown).toHaveCount(0);
  const { items } = await hub.api<{ items: { action: string }[] }>('GET', '/audit?limit=20');
  expect(items.map(({ action }) => action)).toContain('outlet.rotate_secret');
});

test('sending is frozen and released, and the wrapping key is replaced while all goes on', async ({ desk: page, hub, shop }) => {
  const isFrozen = async () => (await hub.api<{ frozen: boolean }>('GET', '/safety')).frozen;
  await page.goto(`${hub.base}/safety`);
  const goes = page.getByRole('region', { name: 'Sending goes on' });
  await confirm(page, goes.getByRole('button', { name: 'Freeze sending' }), 'Freeze sending', { Reason: 'the warehouse moves' });
  const frozen = page.getByRole('region', { name: 'Sending is frozen' });
  await expect(frozen).toContainText('the warehouse moves');
  await expect(page.getByRole('status').filter({ hasText: 'Nothing is sent at the moment' })).toBeVisible();
  expect(await isFrozen()).toBe(true);
  expect(await faults(page)).toEqual([]);
  await confirm(page, frozen.getByRole('button', { name: 'Release sending' }), 'Release sending', { Reason: 'it has moved' });
  await expect(goes).toBeVisible();
  await expect(page.getByText('Nothing is sent at the moment')).toHaveCount(0);
  expect(await isFrozen()).toBe(false);

  const key = page.getByRole('region', { name: 'Wrapping key' });
  await expect(key).toContainText('Never');
  const before = await hub.api<{ key: string }>('GET', '/wrapping-key');
  await expect(key).toContainText(before.key);
  await confirm(page, key.getByRole('button', { name: 'Replace the key' }), 'Replace it');
  await expect(key.getByRole('status').filter({ hasText: 'The new key is' })).toBeVisible();
  await expect(key).not.toContainText('Never');
  const after = await hub.api<{ key: string; left: number }>('GET', '/wrapping-key');
  expect(after.key).not.toBe(before.key);
  expect(after.left).toBe(0);
  await expect(key.getByRole('status')).toContainText(after.key);
  // What was locked with the old one is opened all the same.
  expect(await hub.api('POST', `/connections/${shop.connection}/test`)).toMatchObject({ problems: [] });
});

test('a backup that is being taken is seen by who left the page and came back', async ({ desk: page, hub }) => {
  let go: () => void = () => undefined;
  const held = new Promise<void>((wake) => (go = wake));
  await page.route('**/api/v1/backups', async (route) => {
    if (route.request().method() === 'POST') await held;
    await route.continue();
  });
  await page.goto(`${hub.base}/safety`);
  const backups = page.getByRole('region', { name: 'Backups' });
  await expect(backups).toContainText('No backup is kept here');
  const take = backups.getByRole('button', { name: 'Take a backup' });
  await take.click();
  const said = backups.getByRole('status').filter({ hasText: 'A backup is being taken' });
  await expect(said).toBeVisible();
  await page.getByRole('link', { name: 'Shipments', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Shipments', level: 1 })).toBeVisible();
  await page.getByRole('link', { name: 'Safety', exact: true }).click();
  await expect(said).toBeVisible();
  await expect(take).toBeDisabled();
  expect(await faults(page)).toEqual([]);
  go();
  await expect(page.getByText('The backup is taken.')).toBeVisible({ timeout: 60_000 });
  await expect(said).toHaveCount(0);
  await expect(backups.getByRole('table').locator('tbody tr')).toHaveCount(1);
  await page.unrouteAll({ behavior: 'wait' });
});

test('what keeps a connection from working leads to the page that mends it', async ({ desk: page, hub, shop }) => {
  interface Detail {
    channels: { channel: string; problem?: string }[];
  }
  const here = `${hub.base}/connections/${shop.connection}`;
  const api = `**/api/v1/connections/${shop.connection}`;
  /** The connection as it would be with this. */
  const as = (what: Record<string, unknown>, problems: Record<string, string> = {}) =>
    page.route(api, async (route) => {
      const response = await route.fetch();
      const told = (await response.json()) as Detail;
      const channels = told.channels.map((one) => ({ ...one, problem: problems[one.channel] }));
      await route.fulfill({ response, json: { ...told, channels, ...what } });
    });
  const isAt = (title: string) => expect(page.getByRole('heading', { name: title, level: 1 })).toBeVisible();

  await as({ state: 'paused', paused: { store: 'Brightpearl does not accept the credentials' } });
  await page.goto(here);
  const paused = page.getByRole('alert').filter({ hasText: 'It is paused' });
  await expect(paused.getByRole('button', { name: 'Go on: I have mended it' })).toBeVisible();
  await paused.getByRole('link', { name: 'To the credentials of the store' }).click();
  await isAt('Settings of Shop to shed');
  await page.unrouteAll({ behavior: 'wait' });

  await as(
    { problems: ['warehouse: choose Warehouse Name, or map the facilities under locations'] },
    {
      orders: "Brightpearl takes no more calls for the moment: the account's calls are used up, by the hub or by other apps.",
      shipments: 'carrier UPS Ground is not mapped',
      stock: 'import_statuses: choose at least one order status to import from',
    },
  );
  await page.goto(here);
  const lacks = page.getByRole('alert').filter({ hasText: 'To be looked at' });
  await expect(lacks.getByRole('link')).toHaveText(['To the settings', 'To the mappings']);
  for (const [channel, link] of [['Orders', 'To the API budget'], ['Shipments', 'To the mappings'], ['Stock', 'To the settings']] as const) {
    const card = page.getByRole('region', { name: channel, exact: true });
    await expect(card).toContainText('The last run failed');
    await expect(card.getByRole('link', { name: link })).toBeVisible();
  }
  expect(await faults(page)).toEqual([]);
  await page.getByRole('region', { name: 'Orders', exact: true }).getByRole('link', { name: 'To the API budget' }).click();
  await expect(page).toHaveURL(/\/budget$/);
  await page.goto(here);
  await lacks.getByRole('link', { name: 'To the mappings' }).click();
  await isAt('Mappings');
  await page.unrouteAll({ behavior: 'wait' });
});

interface Level {
  cut_off: string;
}

test('where both sides differ is shown, with what explains it', async ({ desk: page, hub, shop }) => {
  // Brightpearl was made wrong before this count.
  const counted = async () => {
    const levels = `/connections/${shop.connection}/stock/levels?text=W-${hub.sku(WRONG)}`;
    const { items } = await hub.api<{ items: Level[] }>('GET', levels);
    return items.some(({ cut_off }) => Date.parse(cut_off) > shop.at);
  };
  await expect.poll(counted, { timeout: 120_000, message: 'the warehouse has counted since' }).toBe(true);
  await page.goto(`${hub.base}/stock?tab=drift`);
  await expect(page.getByRole('heading', { name: 'Nothing is compared yet' })).toBeVisible();
  await page.getByRole('button', { name: 'Compare both sides now' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'SKUs differ' })).toBeVisible({ timeout: 60_000 });
  const table = page.getByRole('table', { name: 'Differences' });
  const row = (product: number) => table.getByRole('row', { name: new RegExp(`W-${hub.sku(product)}`) });
  // Nothing explains the one; goods that are set aside for somebody else's order explain the other.
  await expect(row(WRONG)).toContainText('−4');
  await expect(row(WRONG)).not.toContainText('Corrected since count');
  await expect(row(RESERVED)).toContainText('Allocated elsewhere: 3');
  expect(await faults(page)).toEqual([]);
});

interface CensusRun {
  extent: string;
  finished_at?: string;
}

test('a census is asked for, and what it finds is repaired in Brightpearl', async ({ desk: page, hub, shop }) => {
  const here = `${hub.base}/connections/${shop.connection}/census`;
  // It is over in a moment here: one that goes on is put in its place.
  await page.route('**/api/v1/connections/*/census', async (route) => {
    if (route.request().method() !== 'GET') return route.continue();
    const response = await route.fetch();
    const told = (await response.json()) as { runs: Record<string, unknown>[] };
    const runs = told.runs.map((run) => ({ ...run, started_at: new Date().toISOString(), finished_at: null, problem: undefined }));
    return route.fulfill({ response, json: { ...told, runs } });
  });
  await page.goto(here);
  const everything = page.getByRole('region', { name: 'Of everything' });
  await expect(everything).toContainText('It runs now');
  expect(await faults(page)).toEqual([]);
  await page.unrouteAll({ behavior: 'wait' });
  await expect(everything).not.toContainText('It runs now');

  const isOld = () => Date.now() - shop.at > GRACE + 3_000;
  await expect.poll(isOld, { timeout: GRACE + 10_000, message: 'the note is no new one any more' }).toBe(true);
  const begun = Date.now();
  await page.getByRole('button', { name: 'Look at everything' }).click();
  const ended = async () => {
    const { runs } = await hub.api<{ runs: CensusRun[] }>('GET', `/connections/${shop.connection}/census`);
    return runs.some(({ extent, finished_at }) => extent === 'full' && Date.parse(finished_at ?? '') > begun);
  };
  await expect.poll(ended, { timeout: 60_000, message: 'the census has ended' }).toBe(true);
  // Without a reload.
  await expect(everything.getByText('Not yet')).toHaveCount(0);
  await expect(page.getByRole('region', { name: /^Where \d+ orders are$/ })).toBeVisible();
  const finding = page.getByRole('group', { name: /^Orphan note: / });
  await expect(finding).toContainText(`of order ${shop.stray}`);
  expect(await hub.notes(shop.stray)).toHaveLength(1);
  await confirm(page, finding.getByRole('button', { name: 'Delete the note' }), 'Delete the note', { Reason: 'it belongs to nothing' });
  await expect(finding).toContainText(/ada@example\.com.* had it repaired/);
  await expect.poll(() => hub.notes(shop.stray), { timeout: 60_000, message: 'the note is deleted in Brightpearl' }).toEqual([]);

  await page.getByRole('button', { name: 'Look at what is recent' }).click();
  await expect(finding).toHaveCount(0, { timeout: 60_000 });
  await page.goto(`${hub.base}/findings`);
  await expect(page.getByRole('heading', { name: 'Findings', level: 1 })).toBeVisible();
  await page.getByRole('switch', { name: 'Also those that are gone' }).click({ force: true });
  await expect(finding).toContainText('Gone');
  await expect(finding).toContainText('it belongs to nothing');
});

interface Order {
  id: string;
  number: string;
}

test('what is done to several orders and was cut off by a reload goes on where it stopped', async ({ desk: page, hub }) => {
  const closed = async () => (await hub.api<{ items: Order[] }>('GET', '/orders?state=closed')).items;
  await expect.poll(async () => (await closed()).length, { timeout: 120_000, message: 'three orders are closed' }).toBe(3);
  const orders = await closed();
  await page.goto(`${hub.base}/orders?state=closed`);
  const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
  await expect(rows).toHaveCount(3);
  for (const { number } of orders) await page.getByLabel(`Choose order ${number}`).check();
  await page.getByRole('region', { name: 'Several at once' }).getByRole('button', { name: 'Archive' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('Would be done to 3');
  // It never comes to the program.
  await page.route('**/api/v1/orders/bulk', () => undefined);
  await dialog.getByRole('button', { name: 'Archive: 3 orders' }).click();
  await expect(dialog.getByText('0 of 3', { exact: true })).toBeVisible();
  // Only then: what is held up would be let through.
  await reloaded(page);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  expect(await closed()).toHaveLength(3);

  const works = page.getByRole('region', { name: 'Done to many at once' });
  const work = works.getByRole('group', { name: 'Archive: 3 orders' });
  await expect(work).toContainText('3 orders are left: this window was loaded anew meanwhile');
  expect(await faults(page)).toEqual([]);
  await work.getByRole('button', { name: /^Go on with them/ }).click();
  await expect(work).toContainText('Done to 3.');
  await expect(page.getByRole('heading', { name: 'No order is like this' })).toBeVisible();
  expect(await closed()).toEqual([]);
  // What became of them is there until it is put away.
  await page.reload();
  await expect(work).toContainText('Done to 3.');
  await work.getByRole('button', { name: /^Put away/ }).click();
  await expect(works).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Orders', level: 1 })).toBeVisible();
  await expect(works).toHaveCount(0);
});

test('shipments are tried again one by one, found again after leaving, and gone on with after a reload', async ({ desk: page, hub }) => {
  const { items } = await hub.api<{ items: Record<string, unknown>[] }>('GET', '/shipments?limit=3');
  expect(items).toHaveLength(3);
  const stopped = items.map((one) => ({ ...one, problem: 'the goods-out note is gone' }));
  await page.route('**/api/v1/shipments?*', (route) => route.fulfill({ json: { items: stopped } }));
  const asked: string[] = [];
  // The second one does not come back.
  await page.route('**/api/v1/shipments/*/retry', (route) => {
    const [, id = ''] = /shipments\/(\w+)\/retry$/.exec(route.request().url()) ?? [];
    asked.push(id);
    return asked.length === 2 ? undefined : route.continue();
  });
  await page.goto(`${hub.base}/shipments`);
  await page.getByRole('checkbox', { name: 'Choose all that are shown' }).check();
  await page.getByRole('region', { name: 'Several at once' }).getByRole('button', { name: 'Try again' }).click();
  const dialog = page.getByRole('dialog', { name: 'Try again' });
  await expect(dialog).toContainText('3 shipments are looked at anew');
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await expect(dialog.getByText('1 of 3', { exact: true })).toBeVisible();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await expect(dialog).toHaveCount(0);

  // Somebody goes to other pages, and finds it.
  await page.getByRole('link', { name: 'Orders', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Orders', level: 1 })).toBeVisible();
  await page.getByRole('link', { name: 'Shipments', exact: true }).click();
  const work = page.getByRole('group', { name: 'Try again: 3 shipments' });
  await expect(work.getByText('1 of 3', { exact: true })).toBeVisible();
  expect(await faults(page)).toEqual([]);

  await reloaded(page);
  await expect(work).toContainText('1 is looked at anew.');
  await expect(work).toContainText('2 shipments are left');
  await work.getByRole('button', { name: /^Go on with them/ }).click();
  await expect(work).toContainText('3 are looked at anew.');
  const [first, second, third] = items.map(({ id }) => String(id));
  expect(asked).toEqual([first, second, second, third]);
  await work.getByRole('button', { name: /^Put away/ }).click();
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

// The last: nothing goes on after it.
test('a run that the password keeps from working leads to where it is given', async ({ desk: page, hub, shop }) => {
  await hub.changePassword('nobody knows this one');
  await page.goto(`${hub.base}/connections/${shop.connection}`);
  const orders = page.getByRole('region', { name: 'Orders', exact: true });
  await expect(orders).toContainText('The last run failed', { timeout: 60_000 });
  await orders.getByRole('link', { name: /^To the credentials/ }).click();
  await expect(page.getByRole('heading', { name: 'Settings of Shop to shed', level: 1 })).toBeVisible();
});
