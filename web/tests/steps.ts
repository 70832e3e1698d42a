import AxeBuilder from '@axe-core/playwright';
import { expect, type Browser, type BrowserContext, type Page } from '@playwright/test';

/** Of everybody who comes in. */
export const PASSWORD = 'nine purple teapots sing';

/**
 * For pages on which requests are held up: where the last interception is taken off, Chromium may lose what is just under way, and
 * the page waits for ever for a part of itself. One that nothing matches stays to the end.
 */
export async function keepIntercepting(context: BrowserContext): Promise<void> {
  await context.route('**/nobody-asks-for-this', (route) => route.continue());
}

/** Waits until nothing moves or changes its colour any more: colours on their way are nobody's. What turns for ever is left out. */
async function atRest(page: Page): Promise<void> {
  await page.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity)
        .map((animation) => animation.finished),
    ),
  );
}

/**
 * Everything that makes a page unusable for somebody: axe calls it serious or critical. Of the rules, all or those that are
 * named. The legacy mode is for pages without frames, as all of these are: it needs no second page for each look.
 */
export async function faults(page: Page, rules?: string[]): Promise<string[]> {
  await atRest(page);
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)} (${node.any[0]?.message ?? ''})`));
}

/** What makes a page wider than its window: on a phone one then has to move it sideways to read it. And headings of columns whose words are broken. */
export async function sideways(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    // A word is broken where one alone stands on several lines.
    const broken = [...document.querySelectorAll('th')].filter((heading) => {
      const words = document.createRange();
      words.selectNodeContents(heading);
      const lines = new Set([...words.getClientRects()].map((line) => Math.round(line.top)));
      // On a phone they are there for screen readers alone.
      const shown = (heading.closest('thead')?.getBoundingClientRect().width ?? 0) > 1;
      return shown && /^\S+$/.test(heading.textContent.trim()) && lines.size > 1;
    });
    if (broken.length > 0) return [`broken: ${broken.map((heading) => heading.textContent).join(', ')}`];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    // What moves within its own frame is no fault.
    const beyond = [...document.body.querySelectorAll('*')].filter(
      (one) => one.getBoundingClientRect().right > clientWidth && !one.closest('.sideways, pre'),
    );
    const named = beyond.slice(-3).map((one) => one.outerHTML.slice(0, 200));
    return [`${scrollWidth} wide in a window of ${clientWidth}: ${named.join(' | ')}`];
  });
}

/** Picks from a list that opens. */
export async function pick(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole('combobox', { name: label }).click();
  await page.getByRole('option', { name: option }).first().click();
  await page.keyboard.press('Escape');
}

/** Invites somebody on screen, and lets them in in a browser of their own. */
export async function comesIn(browser: Browser, base: string, page: Page, name: string, role: 'Staff' | 'Merchant', merchant?: string): Promise<Page> {
  await page.goto(`${base}/people`);
  await page.getByRole('button', { name: 'Invite a person' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('E-mail address').fill(`${name.toLowerCase()}@example.com`);
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await dialog.getByRole('combobox', { name: 'Role' }).click();
  await page.getByRole('option', { name: new RegExp(`^${role}`) }).click();
  if (merchant) {
    await dialog.getByRole('combobox', { name: 'Merchants' }).click();
    await page.getByRole('option', { name: merchant }).click();
    await page.keyboard.press('Tab');
  }
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  const shown = page.getByRole('status').filter({ hasText: '/invitation#' });
  const link = /\/invitation#\w+/.exec(await shown.innerText())?.[0] ?? '';
  const theirs = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  await theirs.goto(`${base}${link}`);
  await expect(theirs.getByRole('heading', { name: 'Welcome to Millrace' })).toBeVisible();
  expect(await faults(theirs)).toEqual([]);
  await theirs.getByLabel('Password').first().fill(PASSWORD);
  await theirs.getByLabel('The same once more').fill(PASSWORD);
  await theirs.getByRole('button', { name: 'Begin' }).click();
  await expect(theirs.getByRole('heading', { name: 'Overview' })).toBeVisible();
  return theirs;
}
