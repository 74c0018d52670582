// Somebody who has never seen homeport: from the first sign-in to a live plot of an oven, a command that it answered, and an alert by
// e-mail, by nothing but what stands on the pages.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mailbox } from './mailbox.mjs';
import { house, signedIn } from './person.mjs';

const its = house();
let post;
before(async () => (post = await mailbox()));
after(() => post?.close());

test('an oven is watched, commanded, and sends a letter', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const way = (name) => page.locator('.side').getByRole('link', { name }).click();
  const press = (name) => page.getByRole('button', { name, exact: true }).click();

  await way('Demo');
  const oven = page.locator('section#oven');
  await oven.getByLabel('Refresh period in milliseconds').fill('200');
  await oven.getByRole('button', { name: 'Start' }).click();
  await oven.getByText('running', { exact: true }).waitFor();
  await oven.getByRole('link', { name: 'Open Plots' }).click();
  const plot = page.locator('figure.plot[data-sensor="act_temp.0"]');
  await page.locator('.live', { hasText: 'Live' }).waitFor();
  const canvas = plot.locator('canvas');
  const drawn = () => canvas.evaluate((element) => element.toDataURL());
  await plot.locator('output', { hasText: ' to ' }).waitFor();
  const before = await drawn();
  await page.waitForFunction((before) => document.querySelector('figure.plot[data-sensor="act_temp.0"] canvas').toDataURL() !== before, before);

  await way('Demo');
  await oven.getByLabel('Command').selectOption({ label: 'Set to 60 °C' });
  await oven.getByRole('button', { name: 'Queue command' }).click();
  await oven.locator('.told li').first().getByText('answered', { exact: true }).waitFor();

  await way('Alerts');
  await page.locator('nav.tabs').getByRole('link', { name: 'Receivers' }).click();
  await page.getByLabel('Mail server').fill('127.0.0.1');
  await page.getByLabel('Encryption').selectOption('none');
  await page.getByText('Another port').click();
  await page.getByLabel('Port', { exact: true }).fill(String(post.port));
  await page.locator('[name=from]').fill('oven@example.org');
  await page.getByLabel('Send a test to', { exact: false }).first().fill('chef@example.org');
  await press('Set mail server');
  await post.letter(/This is a test/);

  await page.getByRole('link', { name: 'New rule' }).click();
  await page.locator('[name=whom]').selectOption({ label: 'Demo oven' });
  await page.getByLabel('Sensor').fill('act_temp.0');
  await page.getByLabel('Upper bound').fill('1');
  await page.locator('[data-preview]').getByText('1 outside now').waitFor();
  await page.getByLabel('E-mail to').fill('chef@example.org');
  await press('Make rule');
  const letter = await post.letter(/Subject: Demo oven/);
  assert.match(letter, /act_temp\.0/);
  await page.locator('.bell [data-firing]', { hasText: '1' }).first().waitFor({ state: 'attached' });
  assert.deepEqual(wrong, [], 'the pages make no noise');
});
