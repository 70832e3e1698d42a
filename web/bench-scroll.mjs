// How smooth the orders scroll: opens them in Chromium, turns the wheel until so many rows were seen, and prints the longest task of
// the page. `MILLRACE=http://… EMAIL=… PASSWORD=… node bench-scroll.mjs [rows]`, against a program with many orders.
import { chromium } from '@playwright/test';

const { MILLRACE = 'http://127.0.0.1:8080', EMAIL = '', PASSWORD = '', CHROMIUM = '/usr/bin/chromium' } = process.env;
const wanted = Number(process.argv[2] ?? 10_000);

const browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.goto(`${MILLRACE}/sign-in`);
await page.getByLabel('E-mail address').fill(EMAIL);
await page.getByLabel('Password').first().fill(PASSWORD);
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
await page.getByRole('link', { name: 'Orders', exact: true }).click();
await page.getByRole('table', { name: 'Orders' }).locator('tbody tr').first().waitFor();
// The page itself is there; from here on only scrolling counts.
await page.waitForTimeout(1_000);
await page.evaluate(() => {
  window.tasks = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' });
});
await page.mouse.move(700, 600);
const seen = () => page.evaluate(() => Math.max(...[...document.querySelectorAll('tr[data-index]')].map((row) => Number(row.dataset.index))));
const begin = Date.now();
let reached = 0;
let turns = 0;
while (reached < wanted && Date.now() - begin < 300_000) {
  await page.mouse.wheel(0, 900);
  turns += 1;
  if (turns % 10 === 0) reached = await seen();
}
const tasks = await page.evaluate(() => window.tasks);
const drawn = await page.locator('tr[data-index]').count();
const longest = Math.round(Math.max(0, ...tasks));
console.log(`${reached} rows in ${Math.round((Date.now() - begin) / 1000)} s, ${turns} turns of the wheel, ${drawn} rows in the document`);
console.log(`tasks over 50 ms: ${tasks.length}; longest: ${tasks.length === 0 ? 'none over 50' : longest} ms (aim: none over 100 ms)`);
await browser.close();
process.exitCode = longest > 100 || reached < wanted ? 1 : 0;
