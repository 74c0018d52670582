// Any command from its fields: looked at, sent, fetched by a module byte for byte, answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { done, house, signedIn } from './person.mjs';
import { okm, pull, push } from './server.mjs';

const [ONE, OTHER] = ['0002010203040506', '0002010203040507'];
const its = house({ HOMEPORT_DEVICES_UNKNOWN: 'accept' });
const hears = (id, number) => its.server.ask(push(okm(id, number, '2024-03-01T12:00:00Z', { _hbt: { door: number } })), 'POST');
const press = (page, name) => Promise.all([page.waitForNavigation(), page.getByRole('button', { name, exact: true }).click()]);

test('the bytes that were looked at are the bytes that a module fetches', async () => {
  assert.match(await hears(ONE, 1), /"pull":false/);
  const { page, wrong } = await signedIn(its, '/commands');
  await Promise.all([page.waitForNavigation(), page.getByLabel('Start from').selectOption('Port RS-232, 115200 baud')]);
  await page.getByLabel('Device 1').fill(ONE);
  await page.getByLabel('Device 2').waitFor();
  await page.getByLabel('oke › port').fill('485');
  await page.getByLabel('oke › baud').fill('fast');
  await press(page, 'Show who gets which bytes');
  assert.match(await page.getByRole('alert').innerText(), /baud takes a number/);
  assert.match(wrong.pop(), /422/);
  assert.equal(await page.getByLabel('oke › port').inputValue(), '485', 'the form stays filled in');

  await page.getByLabel('oke › baud').fill('9600');
  // Enter looks at it and sends nothing.
  await Promise.all([page.waitForNavigation(), page.getByLabel('oke › baud').press('Enter')]);
  const plan = page.locator('#plan');
  assert.match(await plan.innerText(), /1 device would get wr \{"oke":\{"port":"485","baud":9600\}\}/);
  const bytes = await plan.locator('pre').innerText();
  assert.match(await hears(ONE, 2), /"pull":false/, 'nothing was sent yet');

  await press(page, 'Send it to 1');
  assert.match(await page.getByRole('status').innerText(), /1 queued/);
  assert.match(await hears(ONE, 3), /"pull":true/);
  const pulled = /^\{"okm":(\{.*\}),"pull":false\}$/.exec(await its.server.ask(pull(ONE)))[1];
  assert.equal(pulled, bytes.replace(/"_ts":"[^"]*"/, /"_ts":"[^"]*"/.exec(pulled)?.[0] ?? '').replace(/"_crc":"[^"]*"/, /"_crc":"[^"]*"/.exec(pulled)[0]));
  assert.deepEqual(wrong, [], 'the page makes no noise');
});

test('a command for a tag says whom it leaves out, and works without script', async () => {
  await hears(OTHER, 1);
  const { page } = await signedIn(its, '/');
  const { items } = await done(page, 'GET', '/devices?family=cwm');
  for (const device of items) await done(page, 'PATCH', `/devices/${device.id}`, { tags: ['hall'] });
  await done(page, 'POST', `/devices/${items.find((device) => device.address === OTHER).id}/block`);
  const plain = (await signedIn(its, '/commands?family=cwm', { javaScriptEnabled: false })).page;
  await plain.getByRole('radio', { name: 'All with the tag' }).check();
  await plain.getByLabel('Tag', { exact: true }).selectOption('hall');
  await press(plain, 'Show who gets which bytes');
  const told = (await plain.locator('#plan').innerText()).replaceAll(/\s+/g, ' ');
  assert.match(told, /1 device would get rd \{"_ping":true\}/);
  assert.match(told, /0002010203040507 it is blocked/);
  await plain.getByRole('radio', { name: 'As JSON' }).check();
  await plain.getByRole('textbox', { name: 'JSON' }).fill('{"_ping":');
  await press(plain, 'Send at once');
  assert.match(await plain.getByRole('status').innerText(), /2 refused[^]*not JSON at byte 9[^]*it is blocked/);
});
