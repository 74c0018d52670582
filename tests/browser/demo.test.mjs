// The demo: a simulated oven is started, its plot grows without a reload, a command is queued and answered; the sine starts, changes its
// pace, pauses without a jump, and stops.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { call, done, house, signedIn } from './person.mjs';

const its = house();

// A page that stays open holds a stream.
afterEach(() => Promise.all(its.browser.contexts().map((context) => context.close())));
const part = (page, kind) => page.locator(`section#${kind}`);
const points = (page, kind, sensor) => part(page, kind).locator(`.curve[data-sensor="${sensor}"]`).getAttribute('data-points').then((text) => (text ? text.split(',').map(Number) : []));
const grown = (page, kind, sensor, count) => page.waitForFunction(([kind, sensor, count]) => {
  const text = document.querySelector(`#${kind} .curve[data-sensor="${sensor}"]`)?.dataset.points ?? '';
  return text.split(',').filter(Boolean).length >= count;
}, [kind, sensor, count]);

test('an oven is started, seen live, commanded and answers', async () => {
  const { page, wrong } = await signedIn(its, '/demo');
  await page.goto(`${its.server.origin}/demo`);
  const oven = part(page, 'oven');
  await oven.getByLabel('Refresh period in milliseconds').fill('100');
  await oven.getByRole('button', { name: 'Start' }).click();
  await page.getByText('The demo runs.').waitFor();
  await oven.getByText('running', { exact: true }).waitFor();
  await grown(page, 'oven', 'act_temp.0', 12);
  const temperatures = await points(page, 'oven', 'act_temp.0');
  assert.ok(temperatures.at(-1) > temperatures[0], `it heats up: ${temperatures}`);

  await oven.getByLabel('Command').selectOption({ label: 'Set to 220 °C' });
  await oven.getByRole('button', { name: 'Queue command' }).click();
  const told = oven.locator('.told li').first();
  await told.getByText('answered', { exact: true }).waitFor();
  assert.match(await told.innerText(), /"set_temp":220/);
  await oven.locator('dd[data-sensor="set_temp"] .shown', { hasText: '220' }).waitFor();

  await oven.getByLabel('Command').selectOption({ label: 'Set to 900 °C (it will refuse)' });
  await oven.getByRole('button', { name: 'Queue command' }).click();
  await oven.getByText('set_temp is 30 to 300 °C').first().waitFor();

  await oven.getByRole('link', { name: 'Open Plots' }).click();
  await page.getByRole('heading', { level: 1, name: 'Demo oven' }).waitFor();
  await page.locator('figure[data-sensor="act_temp.0"] canvas').waitFor();
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('the sine starts, goes faster, pauses without a jump, and stops', async () => {
  const { page, wrong } = await signedIn(its, '/demo');
  await page.goto(`${its.server.origin}/demo`);
  const sine = part(page, 'sine');
  await sine.getByLabel('Refresh period in milliseconds').fill('500');
  await sine.getByRole('button', { name: 'Start' }).click();
  await sine.getByText('running', { exact: true }).waitFor();
  await grown(page, 'sine', 'data', 2);
  await sine.getByLabel('Refresh period in milliseconds').fill('100');
  await sine.getByRole('button', { name: 'Set period' }).click();
  await page.getByText('The demo runs.').waitFor();
  assert.equal(await sine.getByLabel('Refresh period in milliseconds').inputValue(), '100');
  await grown(page, 'sine', 'data', 6);
  assert.match(await sine.locator('svg.dial').getAttribute('aria-label'), /on a scale from 0 to 100/);

  await sine.getByRole('button', { name: 'Pause' }).click();
  await sine.getByText('paused', { exact: true }).waitFor();
  const before = await points(page, 'sine', 'data');
  await sine.getByRole('button', { name: 'Start' }).click();
  await sine.getByText('running', { exact: true }).waitFor();
  await grown(page, 'sine', 'data', before.length + 3);
  const after = await points(page, 'sine', 'data');
  after.forEach((value, place) => assert.ok(Math.abs(value - (50 + 50 * Math.sin((2 * Math.PI * place) / 100))) < 0.01, `place ${place} of ${after}`));

  await sine.getByLabel('Refresh period in milliseconds').fill('1');
  await sine.getByRole('button', { name: 'Set period' }).click();
  await page.getByText('held within that').waitFor();
  assert.equal(await sine.getByLabel('Refresh period in milliseconds').inputValue(), '50');

  await sine.getByRole('button', { name: 'Stop' }).click();
  await sine.getByText('stopped', { exact: true }).waitFor();
  assert.equal(await sine.locator('.curve').count(), 0, 'nothing is left of it on the page');
  await sine.getByRole('link', { name: 'on its page' }).waitFor();
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('a demo ends when its device is forgotten', async () => {
  const { page } = await signedIn(its, '/demo');
  const started = await done(page, 'POST', '/demo/sine/start', { period_ms: 'soon' });
  assert.equal(started.state, 'running');
  assert.equal(started.period_ms, 2000);
  assert.match(started.adjusted, /2000 ms/);
  assert.equal((await call(page, 'DELETE', `/devices/${started.device}`)).status, 204);
  await page.goto(`${its.server.origin}/demo`);
  await part(page, 'sine').getByText('its device was forgotten').waitFor();
  await part(page, 'sine').getByText('stopped', { exact: true }).waitFor();
  assert.equal((await call(page, 'POST', '/demo/sine/pause')).status, 409);
  assert.equal((await call(page, 'POST', '/demo/nothing/start')).status, 404);
});
