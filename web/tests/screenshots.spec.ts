import { mkdirSync } from 'node:fs';
import { test } from './demo';
import { places, settled } from './places';

const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

/** Pictures of every page, for people to look at: web/screenshots, which git ignores. */
test('every page, wide and on a phone, light and dark', async ({ page, demo }) => {
  test.setTimeout(600_000);
  mkdirSync('screenshots', { recursive: true });
  await demo.says(/Still serving/);
  await page.goto(`${demo.base}/sign-in`);
  await page.screenshot({ path: 'screenshots/sign-in-wide-light.png' });
  // Only what stands behind the # would change otherwise, and the page would stay as it is.
  await page.goto('about:blank');
  await demo.signIn(page);
  const all = await places(demo, page);
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const scheme of ['light', 'dark'] as const) {
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
