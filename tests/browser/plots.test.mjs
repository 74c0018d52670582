// Plots of a device with a token: drawn by the server, brought to life by the page's own script.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { house, signedIn, thing } from './person.mjs';

const its = house();

const words = (figure, expected) => figure.locator('output').filter({ hasText: expected }).waitFor();

test('a plot grows while one looks at it, and a new sensor has one too', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const { id, upload } = await thing(its, page, 'Cold room');
  await upload({ tmp: 4.5 });
  await upload({ tmp: 6.5 });
  await page.goto(`${its.server.origin}/devices/${id}`);

  const figure = page.locator('figure.plot[data-sensor=tmp]');
  await words(figure, '4.5 to 6.5');
  await page.locator('.live', { hasText: 'Live' }).waitFor();
  const canvas = figure.locator('canvas');
  const before = await canvas.evaluate((element) => element.toDataURL());

  await upload({ tmp: 9.25 });
  await words(figure, '4.5 to 9.25');
  assert.notEqual(await canvas.evaluate((element) => element.toDataURL()), before, 'something else is drawn');

  // What nobody has drawn yet: a sensor of its own, and what it is called may be chosen over the first.
  await page.evaluate(() => (window.same = true));
  await upload({ tmp: 9, light: 80, door: 'open' });
  const light = page.locator('figure.plot[data-sensor=light]');
  await words(light, '80');
  await page.locator('#values [data-sensor=door]').getByText('open').waitFor();
  await upload({ light: 85 });
  await words(light, '80 to 85');
  await page.locator('#values [data-sensor=light]').getByText('85').waitFor();
  await figure.locator('select').selectOption('light');
  await figure.locator('canvas').focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowRight');
  await words(figure, /tmp .*; light /);
  assert.equal(await page.evaluate(() => window.same), true, 'the page stays');
  assert.equal(await page.locator('figure.plot').count(), 2);
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('values are read off by pointer and by keyboard, and stretches of time are zoomed', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const { id, upload } = await thing(its, page, 'Fermenter');
  await upload({ tmp: 20 });
  await upload({ tmp: 22, ph: 5 });
  await page.goto(`${its.server.origin}/devices/${id}?range=10m`);
  const figure = page.locator('figure.plot[data-sensor=tmp]');
  const canvas = figure.locator('canvas');
  await words(figure, '20 to 22');

  await canvas.focus();
  await page.keyboard.press('Home');
  await words(figure, /no value/);
  await page.keyboard.press('Escape');
  await words(figure, '20 to 22');
  await page.keyboard.press('-');
  await page.locator('.live', { hasText: 'Live' }).waitFor();
  // Twenty minutes are none of the ranges.
  await page.locator('.ranges a[aria-current]').waitFor({ state: 'detached' });

  // By drag: what is let go is what is seen, and the clock does not move it on.
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60);
  await page.mouse.up();
  await page.locator('.live', { hasText: / to / }).waitFor();
  await page.getByRole('link', { name: '1 hour', exact: true }).click();
  await page.locator('.live', { hasText: 'Live' }).waitFor();
  await page.locator('.ranges a[aria-current]', { hasText: '1 hour' }).waitFor();
  assert.ok(!page.url().includes('range=1h'), 'the page stays');

  // Two sensors on one plot.
  await figure.locator('select').selectOption('ph');
  await canvas.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowRight');
  await words(figure, /tmp .*; ph /);
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('without a script the server has drawn it, for each range', async () => {
  const { page } = await signedIn(its, '/');
  const { id, upload } = await thing(its, page, 'Silo');
  await upload({ level: 71 });
  const state = await page.context().storageState();
  const context = await its.browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, storageState: state, viewport: { width: 320, height: 640 } });
  const plain = await context.newPage();
  await plain.goto(`${its.server.origin}/devices/${id}`);
  await plain.getByRole('img', { name: 'From 71 to 71' }).waitFor();
  await plain.getByRole('link', { name: '1 year' }).click();
  await plain.locator('.ranges a[aria-current]', { hasText: '1 year' }).waitFor();
  await plain.getByRole('img', { name: 'From 71 to 71' }).waitFor();
  assert.equal(await plain.locator('select.overlay').first().isVisible().catch(() => false), false);
  await context.close();

  // On the smallest telephone nothing stands beside the screen.
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto(`${its.server.origin}/devices/${id}`);
  await page.locator('figure.plot canvas').first().waitFor();
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(wide <= screen, `${wide} px on a screen of ${screen}`);
});
