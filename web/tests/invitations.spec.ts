import { expect, test, type Page } from '@playwright/test';
import { Hub } from './hub';
import { freePort, MailServer } from './mail';
import { faults, PASSWORD } from './steps';


async function invite(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Invite a person' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('E-mail address').fill(`${name.toLowerCase()}@example.com`);
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await dialog.getByRole('combobox', { name: 'Role' }).click();
  await page.getByRole('option', { name: /^Staff/ }).click();
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  await expect(dialog).toHaveCount(0);
}

test('an invitation is sent where there is a mail server; where it is down, the link and the remedy are shown', async ({ page, browser }) => {
  const mail = new MailServer();
  const smtp = await mail.begin();
  const hub = new Hub();
  const address = `127.0.0.1:${await freePort()}`;
  try {
    await hub.serve('--listen', address, '--public-url', `http://${address}`, '--smtp', smtp, '--mail-from', 'Millrace <millrace@example.test>');
    await hub.firstPerson(page, PASSWORD);
    await page.goto(`${hub.base}/people`);
    await invite(page, 'Grace');
    const shown = page.getByRole('status').filter({ hasText: '/invitation#' });
    await expect(shown).toContainText('The invitation was sent to grace@example.com');
    const link = /http:\S+\/invitation#\w+/.exec(await shown.innerText())?.[0] ?? '';
    expect(mail.mails).toHaveLength(1);
    expect(mail.mails[0]).toContain('To: grace@example.com');
    expect(mail.mails[0]).toContain(link);
    const theirs = await (await browser.newContext()).newPage();
    await theirs.goto(link);
    await expect(theirs.getByRole('heading', { name: 'Welcome to Millrace' })).toBeVisible();

    await mail.end();
    await invite(page, 'Joan');
    await expect(shown).toContainText('The invitation was made, and could not be sent');
    await expect(shown).toContainText('give the link to the person');
    await expect(shown).toContainText('--smtp');
    expect(await faults(page)).toEqual([]);
    await theirs.goto('about:blank');
    await theirs.goto(/http:\S+\/invitation#\w+/.exec(await shown.innerText())?.[0] ?? '');
    await theirs.getByLabel('Password').first().fill(PASSWORD);
    await theirs.getByLabel('The same once more').fill(PASSWORD);
    await theirs.getByRole('button', { name: 'Begin' }).click();
    await expect(theirs.getByRole('heading', { name: 'Overview' })).toBeVisible();
    await theirs.context().close();
  } finally {
    await hub.end();
  }
});
