// A person at a browser: signs in to a server of the test's own, and keeps what the pages complained of.
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
