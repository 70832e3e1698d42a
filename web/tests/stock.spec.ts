import { expect, test } from '@playwright/test';
import { Hub } from './hub';
import { comesIn, faults, PASSWORD } from './steps';

/** A product that is wrong by more than one line may correct, and one that is wrong by less. */
const HELD = 1010;
const RIGHT = 1011;

interface Run {
  id: string;
  state: string;
  made_at: string;
}

interface Line {
  skus: string[];
  verdict: string;
}

test('a held line of a run is let go by two people, while the others are corrected at once', async ({ page, browser }) => {
  test.setTimeout(420_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  const hub = new Hub();
  try {
    await hub.begin();
    await hub.firstPerson(page, PASSWORD);
    await hub.disturb(RIGHT, 2);
    // `connect` makes the first of the products wrong by four.
    await hub.connect({ increases: 'correct', first_run: 'approve', two_people: true, brakes: { line: '3' } });
    const { items: [connection] } = await hub.api<{ items: { id: string }[] }>('GET', '/connections');
    const other = await comesIn(browser, hub.base, page, 'Lin', 'Staff');
    const sku = `W-${hub.sku(HELD)}`;
    // Lines of the newest run alone can be let go, and the warehouse counts every minute: both people look at one that was just made.
    let run = '';
    await expect
      .poll(
        async () => {
          const { items } = await hub.api<{ items: Run[] }>('GET', `/connections/${connection?.id}/stock/runs`);
          const fresh = items.find(({ state, made_at }) => state === 'planned' && Date.now() - Date.parse(made_at) < 15_000);
          if (!fresh) return '';
          const { items: lines } = await hub.api<{ items: Line[] }>('GET', `/stock/runs/${fresh.id}/lines?limit=500`);
          return lines.some((line) => line.verdict === 'hold' && line.skus.includes(sku)) ? (run = fresh.id) : '';
        },
        { timeout: 200_000, message: 'a run that holds the product' },
      )
      .not.toBe('');

    await page.goto(`${hub.base}/stock/runs/${run}`);
    const held = page.getByRole('region', { name: 'Held back' });
    await expect(held.getByRole('row', { name: new RegExp(sku) })).toContainText('−4');
    await expect(held).toContainText('Two people let them go');
    const approve = held.getByRole('button', { name: 'Approve the chosen lines' });
    await expect(approve).toBeDisabled();
    await held.getByLabel(`Choose ${sku}`).check();
    await approve.click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('nothing is corrected before somebody else has approved the same');
    await dialog.getByRole('button', { name: 'Approve the chosen lines' }).click();
    await expect(dialog).toHaveCount(0);
    const said = held.getByRole('group', { name: `Approved by one: ${sku}` });
    await expect(said).toContainText('ada@example.com (you): yes');
    await expect(said).toContainText('Somebody else’s yes is missing');
    // Once is all that one person can say it.
    await held.getByLabel(`Choose ${sku}`).check();
    await expect(approve).toBeDisabled();
    expect(await faults(page)).toEqual([]);

    await other.goto(`${hub.base}/stock/runs/${run}`);
    const theirs = other.getByRole('region', { name: 'Held back' });
    await expect(theirs.getByRole('group', { name: `Approved by one: ${sku}` })).toContainText('ada@example.com: yes');
    expect(await faults(other)).toEqual([]);
    await theirs.getByRole('button', { name: `Approve as the second of two ${sku}` }).click();
    const second = other.getByRole('dialog');
    await expect(second).toContainText('yours decides');
    await second.getByRole('button', { name: 'Approve as the second of two' }).click();
    await expect(second).toHaveCount(0);
    // Here it is seen without a reload; what was held is no more.
    await expect(page.getByRole('table', { name: 'Lines of the run' }).getByRole('row', { name: new RegExp(sku) })).toContainText('Applied', {
      timeout: 60_000,
    });
    await expect(held).toHaveCount(0);
    await other.context().close();

    // The other product was corrected by the first run, with nobody's yes.
    const { items } = await hub.api<{ items: Run[] }>('GET', `/connections/${connection?.id}/stock/runs`);
    await page.goto(`${hub.base}/stock/runs/${items.at(-1)?.id}`);
    const corrected = page.getByRole('table', { name: 'Lines of the run' }).getByRole('row', { name: new RegExp(`W-${hub.sku(RIGHT)}`) });
    await expect(corrected).toContainText('Applied');
    expect(complaints).toEqual([]);
  } finally {
    await hub.end();
  }
});
