// What the original was tested for, on our pages (accounts-dashboard.md §1), and that an account which is signed out everywhere
// hears nothing any more.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { house, upload } from './person.mjs';

const its = house({ HOMEPORT_ACCOUNTS_REGISTRATION: 'open' });
const PASSWORD = 'eight or more';

async function visitor() {
  const page = await (await its.browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  page.setDefaultTimeout(15_000);
  page.on('dialog', (dialog) => dialog.accept());
  const go = (path) => page.goto(`${its.server.origin}${path}`);
  const press = (name) => page.getByRole('button', { name, exact: true }).first().click();
  return { page, go, press };
}

async function register({ page, go, press }, name) {
  await go('/register');
  const form = page.locator('form[action="/register"]');
  await form.getByLabel('Username').fill(name);
  await form.locator('[name=password]').fill(PASSWORD);
  await form.getByLabel('Password confirmation').fill(PASSWORD);
  await press('Create account');
}

async function signIn({ page, go, press }, name, password) {
  await go('/login');
  const form = page.locator('form[action="/login"]');
  await form.locator('[name=name]').fill(name);
  await form.locator('[name=password]').fill(password);
  await press('Sign in');
}

test('the eight cases of the original', async () => {
  const maker = await visitor();
  const { page, go, press } = maker;
  // An account is made; one that exists is refused; so is a wrong password.
  await register(maker, 'maker');
  await page.locator('.side').getByRole('link', { name: 'maker' }).waitFor();
  const other = await visitor();
  await register(other, 'Maker');
  await other.page.getByRole('alert').filter({ hasText: 'taken' }).waitFor();
  await signIn(other, 'maker', 'something else');
  await other.page.getByRole('alert').waitFor();
  await signIn(other, 'maker', PASSWORD);
  await other.page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor();

  // Several devices of a user, each uploads.
  const tokens = {};
  for (const name of ['Cellar', 'Attic']) {
    await go('/add/token');
    await page.getByLabel('Name', { exact: true }).fill(name);
    await press('Add Device');
    tokens[name] = /dt_[0-9A-Za-z]{32}/.exec(await page.locator('main').innerText())[0];
  }
  const uploaded = (name, record) => upload(its, tokens[name], record);
  assert.equal((await uploaded('Cellar', { tmp: 11.5 })).status, 202);
  assert.equal((await uploaded('Attic', 30)).status, 202);

  // The list of a user's devices, and all data of all of them; nobody else's.
  await go('/');
  for (const name of ['Cellar', 'Attic']) await page.getByRole('link', { name, exact: true }).waitFor();
  const stranger = await visitor();
  await register(stranger, 'stranger');
  await stranger.page.getByRole('heading', { level: 1 }).waitFor();
  await stranger.go('/');
  assert.doesNotMatch(await stranger.page.locator('main').innerText(), /Cellar|Attic/);
  await go('/');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download all data (CSV)' }).click()]);
  assert.equal(file.suggestedFilename(), 'data.csv');
  assert.match(readFileSync(await file.path(), 'utf8'), /Attic,data,30[^]*Cellar,tmp,11\.5|Cellar,tmp,11\.5[^]*Attic,data,30/);

  // A device is revoked.
  await page.getByRole('link', { name: 'Cellar', exact: true }).click();
  await page.locator('nav.tabs').getByRole('link', { name: 'Settings' }).click();
  await press('Revoke');
  await page.getByText('is turned away from now on').waitFor();
  assert.equal((await uploaded('Cellar', { tmp: 12 })).status, 401);
  assert.equal((await uploaded('Attic', 31)).status, 202);
});

test('who is signed out everywhere hears nothing any more', async () => {
  const [here, there] = [await visitor(), await visitor()];
  await register(here, 'wanderer');
  await here.page.locator('.side').getByRole('link', { name: 'wanderer' }).waitFor();
  await here.go('/add/token');
  await here.page.getByLabel('Name', { exact: true }).fill('Compass');
  await here.press('Add Device');
  await here.page.getByText('dt_').first().waitFor();
  await signIn(there, 'wanderer', PASSWORD);
  await there.page.locator('[data-live]', { hasText: 'Live' }).waitFor();
  await here.go('/account');
  await here.press('Sign out everywhere');
  await here.page.locator('form[action="/login"]').waitFor();
  await there.page.locator('[data-live]', { hasText: 'Waiting for the server' }).waitFor();
  await there.page.reload();
  await there.page.locator('form[action="/login"]').waitFor();
});
