// The page of the API: it draws, without a script and without a complaint of the content security policy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { house, signedIn } from './person.mjs';

const its = house();

test('the page of the API lists calls and opens them', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).origin));
  await page.goto(`${its.server.origin}/api/docs`);
  await page.getByRole('heading', { name: 'API', exact: true }).waitFor();
  const call = page.locator('details', { has: page.getByText('PATCH /api/v1/devices/{id}', { exact: true }) });
  await call.locator('summary').click();
  await call.getByText('409').waitFor();
  await call.getByRole('link', { name: 'DeviceEdit' }).click();
  assert.match(page.url(), /#schema-DeviceEdit$/);
  assert.ok(asked.every((origin) => origin === its.server.origin), `asked elsewhere: ${asked}`);
  assert.deepEqual(wrong, [], 'no violation of the policy, no error');

  await page.setViewportSize({ width: 320, height: 640 });
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(wide <= screen, `${wide} px on a screen of ${screen}`);
});
