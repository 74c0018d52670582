// A person at a browser: signs in to a server of the test's own, and keeps what the pages complained of. And what tests make
// there beside what they look at.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { startServer } from './server.mjs';

// A server and a browser for all tests of a file; they are there from the first test on, after `prepare` was done with them.
export function house(more, settings, prepare) {
  const its = {};
  before(async () => {
    its.server = await startServer(more, settings);
    its.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
    await prepare?.(its);
  });
  after(async () => {
    await its.browser?.close();
    await its.server?.stop();
  });
  return its;
}

// Asks for a page, meets the login page before it, and signs in as the first administrator.
export async function signedIn({ server, browser }, path, options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (line) => line.type() === 'error' && wrong.push(line.text()));
  await page.goto(`${server.origin}${path}`);
  await page.locator('form[action="/login"] input[type=password]').fill(server.password());
  await page.locator('form[action="/login"] [name=name]').fill('admin');
  await Promise.all([page.waitForURL((url) => !url.pathname.includes('login')), page.getByRole('button', { name: 'Sign in' }).click()]);
  return { page, wrong };
}

// Calls the API as the person whose page it is; gives status and body.
export const call = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const answer = await fetch(`/api/v1${path}`, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
      return { status: answer.status, body: await answer.json().catch(() => null) };
    },
    [method, path, body],
  );

// The same of a call that has to go well; gives the body.
export async function done(page, method, path, body) {
  const answer = await call(page, method, path, body);
  assert.ok(answer.status < 300, `${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

// Uploads a record with a device's token.
export const upload = ({ server }, token, record) => fetch(`${server.plain}/api/v1/data`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(record) });

// Makes a device with a token; gives its id and what uploads for it.
export async function thing(its, page, name) {
  const { device, token } = await done(page, 'POST', '/devices', { name });
  const uploaded = async (record) => {
    const answer = await upload(its, token, record);
    assert.equal(answer.status, 202, await answer.text());
  };
  return { id: device.id, upload: uploaded };
}
