import { expect, test } from '@playwright/test';
import { Hub } from './hub';
import { OF_CONNECTION, PLACES, settled } from './places';
import { PASSWORD } from './steps';

/** What people have typed into shops, and more: none of it is anything but text (security control 15). */
const HOSTILE = [
  '<script>window.hit=1</script>',
  '"><img src=x onerror="window.hit=1">',
  "'-window.hit=1-'",
  '<svg/onload=window.hit=1>',
  'javascript:window.hit=1',
  '{{constructor.constructor("window.hit=1")()}}',
  '</title><script>window.hit=1</script>',
  '${window.hit=1}',
];

test('what people from outside have typed is shown as it is, and is nothing but text', async ({ page }) => {
  test.setTimeout(300_000);
  const hub = new Hub();
  try {
    await hub.begin();
    await hub.firstPerson(page, PASSWORD);
    const id = await hub.made({});
    await hub.api('PUT', `/connections/${id}/mappings`, { listings: HOSTILE.map((text, place) => [text, `${text} ${place}`]) });
    for (const text of HOSTILE) {
      await hub.api('POST', '/merchants', { name: text });
      const [line2, region, telephone] = ['', '', ''];
      const address = { full_name: text, company: text, line1: text, line2, city: text, region, postal_code: 'LS1 1AA', country: 'GB', telephone, email: 'a@example.test' };
      await hub.place(1010, 1, { reference: text, address });
    }
    await hub.api('POST', '/webhooks', { name: HOSTILE[0], url: 'https://hooks.example.com/a', events: [] });
    await hub.api('PUT', `/connections/${id}/channels/orders`, { enabled: true, every_seconds: 3 });
    await hub.api('POST', `/connections/${id}/enable`, {});
    await page.goto(`${hub.base}/orders`);
    const rows = page.getByRole('table', { name: 'Orders' }).locator('tbody tr');
    await expect(rows).toHaveCount(HOSTILE.length, { timeout: 60_000 });
    const order = (await rows.first().getByRole('link').first().getAttribute('href')) ?? '';

    const broken: string[] = [];
    page.on('dialog', (dialog) => void (broken.push(dialog.message()), dialog.dismiss()));
    // The policy stops scripts that were never ours; that it had to is a fault as well.
    page.on('console', (said) => /Content.Security.Policy/i.test(said.text()) && broken.push(said.text()));
    page.on('pageerror', (error) => broken.push(String(error)));
    const all = [...PLACES, ...OF_CONNECTION.map(([name, then]): [string, string] => [name, `/connections/${id}${then}`]), ['order', order]];
    let shown = 0;
    for (const [name, path] of all) {
      await page.goto(`${hub.base}${path}`);
      await settled(page);
      expect(await page.evaluate(() => 'hit' in window), name).toBe(false);
      const words = await page.locator('body').innerText();
      shown += HOSTILE.filter((text) => words.includes(text)).length;
    }
    // Searched for, and as the address has it.
    for (const text of HOSTILE) {
      await page.goto(`${hub.base}/orders?text=${encodeURIComponent(text)}`);
      await settled(page);
      expect(await page.evaluate(() => 'hit' in window), text).toBe(false);
    }
    expect(broken).toEqual([]);
    expect(shown, 'it is shown at all').toBeGreaterThan(HOSTILE.length * 3);
  } finally {
    await hub.end();
  }
});
