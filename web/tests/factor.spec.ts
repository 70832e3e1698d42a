import { createHmac } from 'node:crypto';
import { expect, test } from '@playwright/test';
import { Hub } from './hub';
import { faults, PASSWORD } from './steps';

/** The authenticator app, written from RFC 6238. */
function code(secret: string): string {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', key).update(step).digest();
  const number = digest.readUInt32BE((digest.at(-1) ?? 0) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

test('who owes a second factor sets one up before anything else', async ({ page }) => {
  const hub = new Hub();
  try {
    await hub.serve('--second-factor', 'administrators');
    await hub.firstPerson(page, PASSWORD, 'Set up a second factor first');
    await page.goto(`${hub.base}/orders`);
    await expect(page.getByRole('heading', { name: 'Set up a second factor first' })).toBeVisible();
    await expect(page.getByRole('navigation')).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'Go on' })).toBeDisabled();
    await page.getByRole('button', { name: 'Set it up' }).click();
    await expect(page.getByRole('img', { name: 'The same as a QR code' })).toBeVisible();
    expect(await faults(page)).toEqual([]);
    await page.getByLabel('The code that the app shows').fill(code(await page.locator('.breaks').innerText()));
    await page.getByRole('button', { name: 'Switch it on' }).click();
    // They are shown this once, so nothing takes them away but the person.
    const codes = page.getByRole('status').filter({ hasText: 'Your recovery codes' });
    await expect(codes.getByRole('listitem')).toHaveCount(10);
    const recovery = await codes.getByRole('listitem').first().innerText();
    await expect(page.getByRole('button', { name: 'Go on' })).toBeEnabled();
    await expect(codes).toBeVisible();
    expect(await faults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Go on' }).click();
    await expect(page.getByRole('heading', { name: 'Orders', exact: true })).toBeVisible();

    await page.getByRole('button', { name: 'You' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByLabel('E-mail address').fill('ada@example.com');
    await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel(/^Code/).fill(recovery);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Nothing is connected yet' })).toBeVisible();
    await page.getByRole('link', { name: 'People', exact: true }).click();
    await expect(page.getByRole('region', { name: 'Second factor' })).toContainText('Administrators have to have one.');
  } finally {
    await hub.end();
  }
});
