// What people look at all day: the dashboard as it moves, who knocked, and all that happened to a device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { done, house, signedIn, thing } from './person.mjs';
import { okm, pull, push } from './server.mjs';

const its = house({ HOMEPORT_DEVICES_UNKNOWN: 'hold' });
const CWM = '0002010203040506';
const OTHER = '0002010203040507';

const card = (page, name) => page.locator('.device', { has: page.getByRole('link', { name, exact: true }) });

test('a module that knocked is let in with one click, and what was held is its history', async () => {
  for (const [id, address] of [[1, CWM], [2, OTHER]]) {
    assert.equal(await its.server.ask(push(okm(address, id, '2024-03-01T12:00:00Z', { _hbt: { door: 56 } })), 'POST'), '{"push":true,"pull":false}');
  }
  const { page, wrong } = await signedIn(its, '/');
  await page.getByRole('link', { name: /^New devices/ }).first().click();
  const knocked = page.locator('.newcomers .card', { hasText: CWM });
  await knocked.getByText('door').first().waitFor();
  const words = await knocked.innerText();
  for (const expected of ['held', 'cwm', '56', '_hbt', 'ok']) assert.ok(words.includes(expected), `${expected} is not in:\n${words}`);

  // One that comes while the page is open is there without a reload.
  await its.server.ask(push(okm('0002010203040508', 3, '2024-03-01T12:00:00Z', { _hbt: { door: 1 } })), 'POST');
  await page.locator('.newcomers .card', { hasText: '0002010203040508' }).waitFor();

  await knocked.getByRole('button', { name: `Adopt ${CWM}` }).click();
  await page.getByRole('status').filter({ hasText: '1 device is adopted' }).waitFor();
  assert.equal(await knocked.count(), 0);

  // Several at once; without a tick nothing happens but a word.
  await page.getByRole('button', { name: 'Adopt chosen' }).click();
  await page.getByRole('alert').filter({ hasText: 'choose the devices first' }).waitFor();
  await page.getByRole('button', { name: 'Choose all' }).click();
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'Block chosen' }).click();
  await page.getByRole('status').filter({ hasText: '2 devices are blocked' }).waitFor();
  await page.getByRole('heading', { name: 'Nobody waits' }).waitFor();

  await page.goto(`${its.server.origin}/`);
  await page.getByRole('link', { name: CWM, exact: true }).click();
  await page.getByText('active', { exact: true }).waitFor();
  await page.locator('.now [data-sensor=door]').getByText('56').waitFor();
  await page.locator('.of-message', { hasText: '_hbt' }).waitFor();
  assert.equal(await its.server.ask(pull(OTHER)), '{"pull":false}');
  assert.deepEqual(wrong.filter((line) => !/status of 422/.test(line)), [], 'the pages make no noise of their own');
});

test('values move on the dashboard, an alert shows and goes, nobody reloads', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const { id, upload } = await thing(its, page, 'Cold room');
  await thing(its, page, 'Silent room');
  await upload({ tmp: 4.5 });
  await page.goto(`${its.server.origin}/`);
  const cold = card(page, 'Cold room');
  await cold.locator('[data-sensor=tmp]', { hasText: '4.5' }).waitFor();
  await cold.getByText(/Last activity since \d+ second/).waitFor();
  await card(page, 'Silent room').getByText('Never active').first().waitFor();
  await page.locator('[data-live]', { hasText: 'Live' }).waitFor();
  await page.evaluate(() => (window.stays = true));

  await upload({ tmp: 6.25 });
  await cold.locator('[data-sensor=tmp]', { hasText: '6.25' }).waitFor();
  await done(page, 'POST', '/rules', { name: 'Too warm', device: id, sensor: 'tmp', high: 8 });
  await upload({ tmp: 9 });
  await cold.getByText('1 alert firing').waitFor({ timeout: 30_000 });
  await page.locator('.tile', { hasText: 'With alerts' }).getByText('1', { exact: true }).waitFor();
  await upload({ tmp: 5 });
  await cold.getByText('1 alert firing').waitFor({ state: 'detached', timeout: 30_000 });
  assert.equal(await page.evaluate(() => window.stays), true, 'the page stayed');

  // Search, filter, order, list.
  await page.getByRole('searchbox', { name: 'Search' }).fill('cold');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('1 device', { exact: true }).waitFor();
  assert.equal(await page.locator('.device').count(), 1);
  await page.getByRole('link', { name: /Never active/ }).click();
  await page.getByRole('heading', { name: 'No device fits' }).waitFor();
  await page.getByRole('link', { name: 'Show all devices' }).click();
  await page.getByRole('link', { name: 'List', exact: true }).click();
  const row = page.locator('tr', { has: page.getByRole('link', { name: 'Cold room', exact: true }) });
  await row.getByText('online').waitFor();
  await upload({ tmp: 3.75 });
  await row.locator('[data-sensor=tmp]', { hasText: '3.75' }).waitFor();
  await page.getByRole('combobox', { name: 'Sort by' }).selectOption('heard');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.waitForURL(/sort=heard/);
  assert.equal(await page.locator('tbody a').first().innerText(), 'Cold room');
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('what happened to a device stands in one order, with exact bytes and every reason', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const { items } = await done(page, 'GET', '/devices?q=0002010203040506');
  const { id } = items[0];
  await page.goto(`${its.server.origin}/devices/${id}/timeline`);
  const message = page.locator('.of-message').first();
  await message.getByText('Received').waitFor();
  await message.locator('summary').click();
  await message.getByText('In hex').waitFor();
  assert.match(await message.locator('.hex').innerText(), /^0000 {2}(7b|25)/);
  await message.locator('.brought', { hasText: /door\s+56/ }).waitFor();

  // A command that is queued while one looks on appears by itself, and the opened bytes stay open.
  await done(page, 'POST', `/devices/${id}/commands`, { cmd: 'wr', payload: { oke: { port: '232' } } });
  const step = page.locator('.of-command', { hasText: 'queued' }).first();
  await step.waitFor();
  assert.match(await step.innerText(), /user:admin/);
  await page.locator('.of-message').first().getByText('In hex').waitFor();

  await page.getByRole('link', { name: 'Commands', exact: true }).last().click();
  await page.locator('.of-command').first().waitFor();
  assert.equal(await page.locator('.of-message').count(), 0);
  await page.getByRole('link', { name: 'Values', exact: true }).click();
  await page.locator('.of-value', { hasText: 'door' }).first().waitFor();
  await page.getByRole('link', { name: 'Alerts', exact: true }).last().click();
  await page.getByRole('heading', { name: 'Nothing yet' }).waitFor();
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('bounds and alerts stand on the plot, with and without script', async () => {
  const { page } = await signedIn(its, '/');
  const { id, upload } = await thing(its, page, 'Fermenter');
  await done(page, 'POST', '/rules', { name: 'Fermenting', device: id, sensor: 'tmp', low: 18, high: 22 });
  await upload({ tmp: 20 });
  await upload({ tmp: 25 });
  await page.goto(`${its.server.origin}/devices/${id}`);
  await page.locator('#now', { hasText: 'Fermenting' }).waitFor({ timeout: 30_000 });
  await page.reload();
  const figure = page.locator('figure.plot[data-sensor=tmp]');
  await figure.getByText('in order: 18 to 22').waitFor();
  await figure.getByText('firing', { exact: true }).waitFor();
  assert.deepEqual(JSON.parse(await figure.getAttribute('data-bounds')), [[18, 22]]);
  assert.equal(JSON.parse(await figure.getAttribute('data-fired')).length, 1);
  const state = await page.context().storageState();
  const context = await its.browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, storageState: state });
  const plain = await context.newPage();
  await plain.goto(`${its.server.origin}/devices/${id}`);
  assert.equal(await plain.locator('.plot path.bound').count(), 2);
  assert.equal(await plain.locator('.plot rect.outside').count(), 2);
  await context.close();
});
