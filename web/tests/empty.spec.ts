import { expect, test as base } from '@playwright/test';
import { Hub } from './hub';
import { GONE, PLACES, settled, untouched } from './places';
import { faults, PASSWORD } from './steps';

const test = base.extend<object, { hub: Hub }>({
  hub: [
    async ({}, use) => {
      const hub = new Hub();
      await hub.serve();
      await use(hub);
      await hub.end();
    },
    { scope: 'worker' },
  ],
});

test.describe.configure({ mode: 'serial' });

test('pages with nothing on them, and pages of what is not there, say so in words and can be used by all', async ({ page, hub }) => {
  test.setTimeout(480_000);
  await hub.firstPerson(page, PASSWORD);
  const found: Record<string, string[]> = {};
  for (const [name, path] of PLACES) {
    await page.goto(hub.base + path);
    await settled(page);
    const here = await faults(page);
    if ((await page.getByRole('alert').count()) > 0) here.push(`an error: ${await page.getByRole('alert').first().innerText()}`);
    if (here.length > 0) found[name] = here;
  }
  for (const [name, path] of GONE) {
    await page.goto(hub.base + path);
    await settled(page);
    const here = await faults(page);
    // What happened and what to do, and a way back.
    const told = page.getByRole('alert').first();
    await expect(told, name).toBeVisible();
    if (!/does not exist/i.test(await told.innerText())) here.push(`it says: ${await told.innerText()}`);
    if ((await page.getByRole('link', { name: /^‹/ }).count()) === 0) here.push('no way back');
    if (here.length > 0) found[`no ${name}`] = here;
  }
  await page.goto(`${hub.base}/nowhere`);
  await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible();
  expect(await faults(page)).toEqual([]);
  expect(found).toEqual({});
});

test('a connection with which nothing has happened yet says on each of its pages what will be there', async ({ page }) => {
  test.setTimeout(300_000);
  const hub = new Hub();
  try {
    await hub.begin();
    await hub.firstPerson(page, PASSWORD);
    const found: Record<string, string[]> = {};
    for (const [name, path] of untouched(await hub.made({}))) {
      await page.goto(hub.base + path);
      await settled(page);
      const here = await faults(page);
      // That it is off is said, and is no error.
      const told = page.getByRole('alert').filter({ hasNotText: 'To be looked at' });
      if ((await told.count()) > 0) here.push(`an error: ${await told.first().innerText()}`);
      if (here.length > 0) found[name] = here;
    }
    expect(found).toEqual({});
  } finally {
    await hub.end();
  }
});
