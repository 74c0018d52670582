// Every page there is, found by its links: at 320 px, by keyboard, for screen readers, in light and dark. Pictures of all go to
// the folder `shots` beside the tests, to be looked at.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { done, house, signedIn, upload } from './person.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SHOTS = 'shots';
const its = house({ HOMEPORT_DEVICES_UNKNOWN: 'accept' }, '[accounts]\nregistration = "open"\n', prepare);

// One page of each kind: the ids of things, and what a list is filtered by, make no other page.
const kind = (path) => path.replace(/\?.*/, '').replaceAll(/\/[0-9a-f-]{32,36}(?=\/|$)/g, '/ID').replace(/(\/[a-z]+)\/cwm\b.*/, '$1/FAMILY');

// What no page is: downloads, the API's own documents, signing out.
const isPage = (path) => !/^\/(api\/v1|assets|file|files|health|metrics|logout)(\/|$)/.test(path) && !/\.(csv|jsonl|svg|png|pem)(\?|$)/.test(path);

// A house with something in it.
async function furnish({ server, browser }) {
  await server.run('simulate', 'cwm', '--count', '3', '--span', '40m', '--fault', 'none');
  await server.run('simulate', 'mcu', '--count', '2', '--span', '4m', '--fault', 'none');
  const { page } = await signedIn({ server, browser }, '/');
  const { items } = await done(page, 'GET', '/devices?family=cwm&limit=50');
  const oven = items.find((device) => device.parent);
  await done(page, 'PATCH', `/devices/${oven.id}`, { tags: ['kitchen'] });
  await done(page, 'POST', '/groups', { name: 'First floor', devices: [oven.id] });
  await done(page, 'POST', '/rules', { name: 'Oven too hot', device: oven.id, low: 0, high: 1 });
  await done(page, 'POST', '/users', { name: 'nurse', password: 'a long password', role: 'viewer' });
  await done(page, 'POST', '/tokens', { name: 'kitchen display', role: 'viewer' });
  await done(page, 'POST', '/webhooks', { name: 'pager', url: 'https://pager.example/hook' });
  const cold = await done(page, 'POST', '/devices', { name: 'Cold room' });
  await done(page, 'POST', `/devices/${items.find((device) => !device.parent).id}/commands`, { cmd: 'rd', payload: { _ping: true } });
  // Pages of one kind that show other things: an oven that measures, one with a token, a gauge.
  const gauge = await done(page, 'POST', '/devices', { name: 'Boiler', type: 'gauge', config: { minVal: 0, maxVal: 10, unit: 'bar', decimals: 2, bands: [{ from: 1, to: 7, state: 'good' }, { from: 7, to: 8.5, state: 'warn' }, { from: 8.5, to: 10, state: 'bad' }] } });
  await done(page, 'POST', '/rules', { name: 'Boiler pressure', device: gauge.device.id, sensor: 'data', low: 0.5, high: 8 });
  await upload({ server }, gauge.token, 7.4);
  const made = [`/devices/${oven.id}`, `/devices/${cold.device.id}/settings`, `/devices/${gauge.device.id}`, `/devices/${gauge.device.id}/settings`];
  await page.context().close();
  return made;
}

const broken = [];

// Every kind of page that links lead to, each with a path.
async function found(page, more) {
  const seen = new Map();
  const open = [...more, '/', '/login', '/register', '/pullform'];
  for (let path = open.shift(); path; path = open.shift()) {
    const name = more.includes(path) ? path : kind(path);
    if (seen.has(name)) continue;
    const answer = await page.goto(`${its.server.origin}${path}`);
    seen.set(name, path);
    if (answer.status() !== 200) broken.push(`${path} answers ${answer.status()}`);
    const links = await page.locator('a[href^="/"]').evaluateAll((links) => links.map((link) => link.getAttribute('href').replace(/#.*/, '')));
    open.push(...links.filter(isPage));
  }
  return [...seen.values()];
}

let paths;
async function prepare(its) {
  const more = await furnish(its);
  const { page } = await signedIn(its, '/');
  paths = await found(page, more);
  await page.context().close();
}

test('every link leads to a page', () => assert.deepEqual(broken, []));

test('there is a page for everything that the navigation names', () => {
  for (const wanted of ['/', '/new', '/alerts', '/commands', '/published', '/download', '/add', '/demo', '/users', '/audit', '/status', '/account', '/devices/ID', '/devices/ID/timeline']) {
    assert.ok(paths.some((path) => kind(path) === wanted), `${wanted} is not among ${paths.map(kind)}`);
  }
});

for (const colorScheme of ['light', 'dark']) {
  test(`every control has a name and every text its contrast, in ${colorScheme} colours`, async () => {
    const { page, wrong } = await signedIn(its, '/', { colorScheme });
    await page.context().addInitScript({ path: axe });
    const faults = [];
    for (const path of paths) {
      await page.goto(`${its.server.origin}${path}`);
      const { violations } = await page.evaluate(() => window.axe.run());
      faults.push(...violations.map(({ id, nodes }) => `${path}: ${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`));
    }
    assert.deepEqual(faults, []);
    assert.deepEqual(wrong, [], 'the pages make no noise');
  });
}

test('no page is wider than a screen of 320 px, and nothing to touch is smaller than 44 px', async () => {
  const { page } = await signedIn(its, '/', { viewport: { width: 320, height: 640 } });
  const faults = [];
  for (const path of paths) {
    await page.goto(`${its.server.origin}${path}`);
    faults.push(
      ...(await page.evaluate((path) => {
        const found = [];
        const { scrollWidth } = document.documentElement;
        if (scrollWidth > window.innerWidth) {
          const widest = [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1).slice(0, 3);
          found.push(`${path} is ${scrollWidth} px wide: ${widest.map((one) => one.outerHTML.slice(0, 80))}`);
        }
        for (const one of document.querySelectorAll('button, .button, select, input:not([type=hidden]), textarea, summary, nav a')) {
          // A box to tick is as large as its label.
          const target = one.matches('[type=checkbox], [type=radio]') ? one.closest('label') ?? one : one;
          const { width, height } = target.getBoundingClientRect();
          if (one.checkVisibility() && width > 1 && (height < 43.5 || width < 43.5)) found.push(`${path}: ${Math.round(width)} × ${Math.round(height)} px: ${one.outerHTML.slice(0, 100)}`);
        }
        return found;
      }, path)),
    );
  }
  assert.deepEqual(faults, []);
});

test('everything is reached by keyboard', async () => {
  const { page } = await signedIn(its, '/');
  const faults = [];
  for (const path of paths.filter((path) => path !== '/api/docs')) {
    await page.goto(`${its.server.origin}${path}`);
    const count = await page.evaluate(() => {
      document.activeElement?.blur();
      const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
      window.unreached = new Set(all.filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0 && one.type !== 'hidden' && one.type !== 'radio'));
      document.addEventListener('focusin', ({ target }) => window.unreached.delete(target));
      return window.unreached.size;
    });
    for (let press = 0; press < count + 20; press++) {
      await page.keyboard.press('Tab');
      if (press % 20 === 19 && (await page.evaluate(() => window.unreached.size)) === 0) break;
    }
    // A part that a script has drawn anew meanwhile is another element.
    faults.push(...(await page.evaluate((path) => [...window.unreached].filter((one) => one.isConnected).map((one) => `${path}: ${one.outerHTML.slice(0, 100)}`), path)));
  }
  assert.deepEqual(faults, []);
});

test('pictures of every page', async () => {
  rmSync(SHOTS, { recursive: true, force: true });
  mkdirSync(SHOTS);
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[360, 740], [1280, 900]]) {
      const { page } = await signedIn(its, '/', { colorScheme, viewport: { width, height } });
      for (const path of paths) {
        await page.goto(`${its.server.origin}${path}`);
        // Plots are drawn when they are seen.
        for (const figure of await page.locator('figure.plot:has(canvas)').all()) {
          await figure.scrollIntoViewIfNeeded();
          await figure.and(page.locator('[data-loaded]')).waitFor();
        }
        const twin = paths.slice(0, paths.indexOf(path)).filter((other) => kind(other) === kind(path)).length;
        const name = (kind(path).replaceAll('/', '-').slice(1) || 'dashboard') + (twin ? `-${twin + 1}` : '');
        await page.screenshot({ path: `${SHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: path !== '/api/docs' });
      }
      await page.context().close();
    }
  }
});
