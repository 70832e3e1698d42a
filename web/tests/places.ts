import type { Page } from '@playwright/test';
import { expect, type Demo } from './demo';

/** Every page that an administrator can open, by a name. Those with an id are found by the first link of their list. */
export const PLACES: [name: string, path: string][] = [
  ['overview', '/'],
  ['orders', '/orders'],
  ['shipments', '/shipments'],
  ['connections', '/connections'],
  ['wizard', '/connections/add'],
  ['all-mappings', '/mappings'],
  ['all-census', '/census'],
  ['merchants', '/merchants'],
  ['tenants', '/tenants'],
  ['exceptions', '/exceptions'],
  ['findings', '/findings'],
  ['issues', '/issues'],
  ['stock', '/stock'],
  ['levels', '/stock?tab=levels'],
  ['drift', '/stock?tab=drift'],
  ['held', '/stock?tab=holds'],
  ['alerts', '/alerts'],
  ['webhooks', '/webhooks'],
  ['keys', '/keys'],
  ['people', '/people'],
  ['activity', '/activity'],
  ['channel-runs', '/activity?tab=runs'],
  ['audit', '/audit'],
  ['budget', '/budget'],
  ['safety', '/safety'],
  ['account', '/account'],
];

/** Pages of a connection, by a name and what stands behind its address. */
export const OF_CONNECTION: [name: string, then: string][] = [
  ['connection', ''],
  ['channel', '/channels/orders'],
  ['settings', '/settings'],
  ['mappings', '/mappings'],
  ['preflight', '/preflight'],
  ['tour', '/tour'],
  ['census', '/census'],
];

/** Addresses of what is not there, by a name. */
export const GONE: [name: string, path: string][] = [
  ...OF_CONNECTION.map(([name, then]): [string, string] => [name, `/connections/con_0${then}`]),
  ['order', '/orders/ord_0'],
  ['shipment', '/shipments/shp_0'],
  ['effect', '/effects/eff_0'],
  ['draft', '/connections/add?draft=drf_0'],
  ['run', '/stock/runs/run_0'],
  ['delivery', '/deliveries/dlv_0'],
  ['person', '/people/per_0'],
  ['merchant', '/merchants/mer_0'],
];

const LISTS: [name: string, list: string, then?: string][] = [
  ['order', '/orders'],
  ['shipment', '/shipments'],
  ...OF_CONNECTION.map(([name, then]): [string, string, string] => [name, '/connections', then]),
  ['run', '/stock'],
  ['person', '/people'],
  ['merchant', '/merchants'],
];

/** The pages that show a connection, of one with which nothing has happened. */
export function untouched(connection: string): [string, string][] {
  const others = PLACES.filter(([, path]) => /^.(orders|shipments|exceptions|findings|stock)/.test(path));
  return [...OF_CONNECTION.map(([name, then]): [string, string] => [name, `/connections/${connection}${then}`]), ...others];
}

/** All of them, with their addresses in this installation. */
export async function places(demo: Demo, page: Page): Promise<[string, string][]> {
  // Some of them are there only once everything has run.
  await demo.says(/Still serving/);
  const found = [...PLACES];
  for (const [name, list, then = ''] of LISTS) {
    await page.goto(demo.base + list);
    // Connections that are not finished stand above the others, in a table of their own.
    const table = list === '/connections' ? page.getByRole('table', { name: 'Connections' }) : page;
    const link = table.locator('tbody a').first();
    found.push([name, `${(await link.getAttribute('href')) ?? ''}${then}`]);
  }
  await page.goto(demo.base + (found.find(([name]) => name === 'order')?.[1] ?? ''));
  const effect = page.getByRole('region', { name: 'Timeline' }).getByRole('link').first();
  found.push(['effect', (await effect.getAttribute('href')) ?? '']);
  found.push(['delivery', `/deliveries/${await delivery(demo)}`]);
  return found;
}

/** A message to a webhook that nobody answers at. */
async function delivery(demo: Demo): Promise<string> {
  const kept = await demo.api<{ items: { id: string }[] }>('GET', '/webhooks');
  const webhook =
    kept.items[0] ??
    (
      await demo.api<{ webhook: { id: string } }>('POST', '/webhooks', {
        name: 'Bookkeeping',
        url: 'https://books.example.test/millrace',
        events: ['order', 'shipment'],
      })
    ).webhook;
  return (await demo.api<{ id: string }>('POST', `/webhooks/${webhook.id}/test`)).id;
}

/** Where somebody who forgot their password chooses another. It signs nobody out until that is done. */
export async function reset(demo: Demo): Promise<string> {
  const people = await demo.api<{ items: { id: string }[] }>('GET', '/people');
  const { link } = await demo.api<{ link: string }>('POST', `/people/${people.items[0]?.id ?? ''}/reset`);
  const { pathname, hash } = new URL(link);
  return pathname + hash;
}

/** Waits until everything that the page asks for is there. */
export async function settled(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).waitFor();
  await expect(page.locator('[role=status]:has-text("…")')).toHaveCount(0);
}
