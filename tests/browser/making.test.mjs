// Add Device, the gauge editor, the settings of a device, and Download: what is made on pages works with the real thing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { call, done, house, signedIn, upload } from './person.mjs';

const its = house();

// A page that stays open holds a stream.
afterEach(() => Promise.all(its.browser.contexts().map((context) => context.close())));

const usual = { minVal: 0, maxVal: 100, startAngle: -150, maxRange: 300, increaseClockwise: true };
const DIALS = {
  usual,
  small: { ...usual, startAngle: -50, maxRange: 100 },
  left: { ...usual, startAngle: 150, increaseClockwise: false },
  full: { ...usual, maxVal: 360, startAngle: 0, maxRange: 360 },
  fullLeft: { ...usual, maxVal: 60, startAngle: 90, maxRange: 360, increaseClockwise: false },
  cold: { ...usual, minVal: -40, maxVal: 60, startAngle: 0, maxRange: 180 },
};
// The pointers of the server's own test (family/token/gauge.rs).
const POINTERS = [
  ['usual', -150, 0], ['usual', 0, 50], ['usual', 150, 100], ['usual', 210, 0], ['usual', 360, 50], ['usual', -210, 100], ['usual', 165, 105],
  ['usual', -165, -5], ['usual', 750, 60], ['small', 6, 56], ['small', -50, 0], ['left', 150, 0], ['left', 0, 50], ['left', -150, 100], ['left', 120, 10],
  ['full', 0, 0], ['full', 359, 359], ['full', -1, 359], ['fullLeft', 0, 15], ['cold', 90, 10],
];

test('the server, the browser and the preview agree on 20 pointers', async () => {
  const { page, wrong } = await signedIn(its, '/add/gauge');
  await page.goto(`${its.server.origin}/add/gauge`);
  const browser = await page.evaluate(async ([dials, pointers]) => {
    const { valueAt, angleAt, shown } = await import('/assets/gauge.mjs');
    return pointers.map(([name, angle]) => {
      const { minVal: min, maxVal: max, startAngle: start, maxRange: range, increaseClockwise: clockwise } = dials[name];
      const gauge = { min, max, start, range, clockwise };
      const value = valueAt(gauge, angle);
      return { value, back: valueAt(gauge, angleAt(gauge, value)), shown: shown(gauge, value) };
    });
  }, [DIALS, POINTERS]);
  const devices = {};
  for (const [name, config] of Object.entries(DIALS)) devices[name] = await done(page, 'POST', '/devices', { name: `Dial ${name}`, type: 'gauge', config });
  for (const [place, [name, angle, wanted]] of POINTERS.entries()) {
    const found = browser[place];
    assert.ok(Math.abs(found.value - wanted) < 1e-9, `${name} at ${angle}: ${found.value} in the browser`);
    const { device, token } = devices[name];
    assert.equal((await upload(its, token, { angle })).status, 202);
    const { items } = await done(page, 'GET', `/devices/${device.id}/series`);
    const value = items.find(({ sensor }) => sensor === 'data').value;
    assert.ok(Math.abs(value - wanted) < 1e-9, `${name} at ${angle}: ${value} at the server`);
  }
  const preview = page.locator('svg.dial');
  const fields = ['minVal', 'maxVal', 'startAngle', 'maxRange'];
  for (const [name, config] of Object.entries(DIALS)) {
    for (const key of fields) await page.locator(`input[name=${key}]`).fill(String(config[key]));
    await page.getByLabel('Increases clockwise').setChecked(config.increaseClockwise);
    for (const share of [0, 25, 100]) {
      await page.getByLabel('Test the pointer').fill(String(share));
      const value = config.minVal + ((config.maxVal - config.minVal) * share) / 100;
      const angle = config.startAngle + (config.increaseClockwise ? 1 : -1) * config.maxRange * (share / 100);
      assert.equal(await preview.locator('.needle').getAttribute('transform'), `rotate(${angle.toFixed(2)} 100 100)`, name);
      assert.equal(Number(await preview.locator('.read').textContent()), Math.round(value * 10) / 10, name);
    }
  }
  await page.locator('input[name=maxVal]').fill('-100');
  await page.getByText('No dial:').waitFor();
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

// A dial of a page as the server drew it, and the same drawn again by the browser: as words and numbers.
const bothDials = (page, path, value) => page.evaluate(async ([path, value]) => {
  const { draw, ofDial, point } = await import('/assets/gauge.mjs');
  const svg = new DOMParser().parseFromString(await (await fetch(path)).text(), 'text/html').querySelector('svg.dial');
  const own = svg.cloneNode(true);
  own.querySelectorAll('.zone, .out, .bound, .end').forEach((part) => part.remove());
  own.setAttribute('class', 'dial');
  draw(own, ofDial(svg));
  point(own, ofDial(svg), value);
  const pieces = (text) => text.match(/[A-Za-z]+|-?[0-9.]+/g);
  return [svg, own].map((dial) => ({
    paths: [...dial.querySelectorAll('path')].map((path) => [path.getAttribute('class'), ...pieces(path.getAttribute('d'))]),
    ends: [...dial.querySelectorAll('.end')].map((end) => [end.textContent, end.getAttribute('x'), end.getAttribute('y')]),
    needle: pieces(dial.querySelector('.needle').getAttribute('transform')),
    read: dial.querySelector('.read').textContent,
    label: dial.getAttribute('aria-label'),
    looks: [...dial.classList].sort().join(' '),
  }));
}, [path, value]);
// Numbers may differ in the last digit that is written.
const alike = (one, other) => one === other || (Array.isArray(one) && one.length === other?.length && one.every((part, at) => alike(part, other[at]))) ||
  Math.abs(Number(one) - Number(other)) <= 0.101;

test('digits, bands and bounds are drawn alike by the server and the browser', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const bands = [{ from: 30, to: 400, state: 'bad' }, { from: -40, to: 20, state: 'good' }, { from: 20, to: 30.5, state: 'warn' }];
  for (const [name, config] of Object.entries(DIALS)) {
    const looks = name === 'usual' ? {} : { decimals: name.length % 3, bands };
    const { device, token } = (await call(page, 'POST', '/devices', { name: `Face ${name}`, type: 'gauge', config: { ...config, ...looks } })).body;
    const made = await call(page, 'POST', '/rules', { name: `Bounds of ${name}`, device: device.id, sensor: 'data', low: 10, high: 35 });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    for (const [value, looks] of [[15.45, 'is-good'], [30.25, 'is-bad'], [22.5, 'is-warn'], [-0.001, 'is-good'], [500, '']]) {
      assert.equal((await upload(its, token, value)).status, 202);
      const [server, browser] = await bothDials(page, `/devices/${device.id}`, value);
      for (const key of Object.keys(server)) assert.ok(alike(server[key], browser[key]), `${name} at ${value}: ${key} ${JSON.stringify([server[key], browser[key]])}`);
      if (name !== 'usual') assert.ok(server.looks.includes(looks), `${name} at ${value}: ${server.looks}`);
      assert.ok(server.paths.some(([kind]) => kind === 'out') && server.paths.some(([kind]) => kind === 'bound'), `${name}: ${JSON.stringify(server.paths)}`);
    }
  }
  // As in family/token/face.rs.
  const rounded = await page.evaluate(async () => {
    const { rounded } = await import('/assets/gauge.mjs');
    return [[1.45, 1], [2.5, 0], [-2.5, 0], [-0.04, 1], [7, 2]].map(([value, digits]) => rounded(value, digits));
  });
  assert.deepEqual(rounded, ['1.5', '3', '-3', '0.0', '7.00']);
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('a gauge is shown with its digits wherever it stands, and the editor follows', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const { device, token } = (await call(page, 'POST', '/devices', { name: 'Vacuum', type: 'gauge', config: { ...usual, maxVal: 10, place: 'cellar' } })).body;
  await call(page, 'POST', '/rules', { name: 'Vacuum is high', device: device.id, sensor: 'data', high: 9 });
  const settings = `${its.server.origin}/devices/${device.id}/settings`;
  await page.goto(settings);
  const dial = page.locator('svg.dial');
  assert.equal(await dial.locator('.out').count(), 1, 'the rule is on the preview, too');
  await page.getByLabel('Unit').fill('mbar');
  await page.getByLabel('Digits after the point').fill('3');
  await page.getByText('Colour bands').click();
  const band = (place) => page.getByRole('group', { name: `Band ${place}` });
  await band(1).getByLabel('From').fill('0');
  await page.getByText('No dial: a band begins and ends at a number').waitFor();
  await band(1).getByLabel('to').fill('4');
  await band(3).getByLabel('From').fill('4');
  await band(3).getByLabel('to').fill('6,5');
  await band(3).getByLabel('is').selectOption({ label: 'needs a look' });
  assert.equal(await dial.locator('.read').textContent(), '5.000');
  assert.match(await dial.getAttribute('class'), /is-warn/);
  assert.equal(await dial.locator('.zone').count(), 2);
  assert.equal(await dial.locator('.out').count(), 1);
  await page.locator('form[data-gauge]').getByRole('button', { name: 'Save' }).click();
  await page.getByText('Its configuration is changed.').waitFor();
  const { config } = (await call(page, 'GET', `/devices/${device.id}`)).body;
  assert.deepEqual(config.bands, [{ from: 0, to: 4, state: 'good' }, { from: 4, to: 6.5, state: 'warn' }]);
  assert.deepEqual([config.decimals, config.place], [3, 'cellar'], 'what has no field stays');

  assert.equal((await upload(its, token, 3.14159)).status, 202);
  await page.goto(`${its.server.origin}/devices/${device.id}`);
  const now = page.locator('.now [data-sensor=data]');
  assert.equal(await now.textContent(), '3.142');
  assert.equal(await page.locator('table [data-sensor=data]').textContent(), '3.142');
  await page.getByText('in order: at most 9').first().waitFor();
  // Until the stream is there nothing moves.
  await page.locator('.live').getByText('Live').waitFor();
  assert.equal((await upload(its, token, 5.5)).status, 202);
  await page.locator('.dial .read').getByText('5.500').waitFor();
  await now.getByText('5.500').waitFor();
  await page.locator('svg.dial.is-warn').waitFor();
  await page.goto(`${its.server.origin}/?q=Vacuum`);
  assert.equal(await page.locator('.device .dial .read').textContent(), '5.500');
  assert.equal(await page.locator('.device .dial .bound').count(), 1);
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('a device is added, its snippets work as they are pasted, and its first value is told', async () => {
  const { page, wrong } = await signedIn(its, '/add');
  await page.goto(`${its.server.origin}/add`);
  await page.getByRole('link', { name: 'Device with a token' }).click();
  await page.getByLabel('Name').fill('Boiler room');
  await page.getByRole('button', { name: 'Add Device' }).click();
  await page.getByRole('heading', { level: 1, name: 'Boiler room is added' }).waitFor();
  const token = (await page.locator('#token').textContent()).trim();
  assert.match(token, /^dt_[0-9A-Za-z]{32}$/);
  assert.equal(await page.locator('.qr svg').isVisible(), false, 'a secret is not on the screen unasked');
  await page.getByText('Show QR').click();
  await page.locator('.qr svg').waitFor();
  const [picture] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download PNG' }).click()]);
  assert.equal(picture.suggestedFilename(), 'Boiler room.png');
  assert.equal(readFileSync(await picture.path()).subarray(1, 4).toString(), 'PNG');

  const folder = mkdtempSync(join(tmpdir(), 'hps'));
  try {
    const [root] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download root certificate' }).click()]);
    await root.saveAs(join(folder, 'homeport-root.pem'));
    const pasted = (name) => page.locator(`#snippet-${name}`).textContent();
    assert.equal(execFileSync('sh', ['-c', await pasted('curl')], { cwd: folder }).toString().trim(), '{"accepted":1}');
    await page.getByText('arrived').waitFor();
    writeFileSync(join(folder, 'first.py'), await pasted('python'));
    assert.match(execFileSync('python3', ['first.py'], { cwd: folder }).toString(), /accepted/);
    assert.ok((await pasted('micropython')).includes(its.server.plain.replace('127.0.0.1', 'localhost')), await pasted('micropython'));
  } finally {
    rmSync(folder, { recursive: true });
  }

  await page.goto(`${its.server.origin}/add/token`);
  await page.getByLabel('Name').fill('boiler ROOM');
  await page.getByRole('button', { name: 'Add Device' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByLabel('Name').getAttribute('aria-invalid'), 'true');
  assert.deepEqual(wrong.filter((line) => !line.includes('409')), [], 'the pages make no noise');
});

test('a device is renamed with three outcomes, and Escape takes back', async () => {
  const { page } = await signedIn(its, '/');
  const { device } = await done(page, 'POST', '/devices', { name: 'Pressure' });
  await call(page, 'POST', '/devices', { name: 'Taken' });
  await page.goto(`${its.server.origin}/devices/${device.id}/settings`);
  const box = page.getByRole('textbox', { name: 'Name' });
  const rename = async (name) => {
    await box.fill(name);
    await page.getByRole('button', { name: 'Rename' }).click();
  };
  await rename('Steam');
  await page.getByText('Updated from “Pressure” to “Steam”.').waitFor();
  assert.match(await box.getAttribute('class'), /good/);
  await page.getByRole('heading', { level: 1, name: 'Steam' }).waitFor();
  await rename('Steam');
  await page.getByText('nothing was changed').waitFor();
  assert.match(await box.getAttribute('class'), /warn/);
  await rename('Taken');
  await page.getByText('“Taken” is already used by another device.').waitFor();
  assert.match(await box.getAttribute('class'), /bad/);
  assert.equal(await box.inputValue(), 'Steam', 'the box shows the name that it has');
  await box.fill('half a na');
  await box.press('Escape');
  assert.equal(await box.inputValue(), 'Steam');
});

test('a token is replaced with a grace, revoked, and the device forgotten', async () => {
  const { page } = await signedIn(its, '/');
  page.on('dialog', (dialog) => dialog.accept());
  const { device, token } = await done(page, 'POST', '/devices', { name: 'Cold room' });
  const settings = `${its.server.origin}/devices/${device.id}/settings`;
  await page.goto(settings);
  await page.locator('select[name=grace_s]').selectOption({ label: 'in an hour' });
  await page.getByRole('button', { name: 'Make a new token' }).click();
  await page.getByText('Those that it had before end in an hour.').waitFor();
  const fresh = (await page.locator('#token').textContent()).trim();
  assert.equal((await upload(its, token, { tmp: 4 })).status, 202, 'the old one is good for an hour');
  assert.equal((await upload(its, fresh, { tmp: 5 })).status, 202);
  await page.goto(settings);
  assert.equal(await page.getByRole('button', { name: 'Revoke' }).count(), 2);
  await page.getByRole('button', { name: 'Revoke' }).first().click();
  await page.getByText('is turned away from now on').waitFor();
  await page.getByRole('button', { name: 'Revoke' }).first().click();
  await page.getByText('It has none').waitFor();
  assert.deepEqual([(await upload(its, token, { tmp: 4 })).status, (await upload(its, fresh, { tmp: 5 })).status], [401, 401]);
  await page.getByRole('button', { name: 'Forget' }).click();
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor();
  assert.equal((await call(page, 'GET', `/devices/${device.id}`)).status, 404);
});

test('forms work without script: a gauge is added and set up, tags are set', async () => {
  const context = await its.browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${its.server.origin}/add/gauge`);
  await page.locator('[name=name]').fill('admin');
  await page.locator('input[type=password]').fill(its.server.password());
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByLabel('Name').fill('Kettle');
  await page.locator('input[name=maxVal]').fill('-1');
  await page.getByRole('button', { name: 'Add Device' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByLabel('Name').inputValue(), 'Kettle', 'what was typed is still there');
  assert.equal(await page.locator('input[name=minVal]').getAttribute('aria-invalid'), 'true');
  await page.locator('input[name=maxVal]').fill('2,5');
  await page.getByText('Colour bands').click();
  await page.locator('[name="bands.1.from"]').fill('2');
  await page.locator('[name="bands.1.to"]').fill('1');
  await page.getByRole('button', { name: 'Add Device' }).click();
  await page.locator('.zones').getByText('a band ends at more than it begins with').waitFor();
  assert.equal(await page.locator('[name="bands.1.to"]').getAttribute('aria-invalid'), 'true');
  await page.locator('[name="bands.1.to"]').fill('2.5');
  await page.locator('[name="bands.1.state"]').selectOption('bad');
  await page.getByLabel('Unit').fill('bar');
  await page.getByRole('button', { name: 'Add Device' }).click();
  await page.getByRole('heading', { level: 1, name: 'Kettle is added' }).waitFor();
  assert.equal((await upload(its, (await page.locator('#token').textContent()).trim(), 1.25)).status, 202);
  await page.getByRole('link', { name: 'Open Plots' }).click();
  await page.getByRole('link', { name: 'Settings' }).click();
  assert.equal(await page.locator('input[name=maxVal]').inputValue(), '2.5');
  await page.locator('input[name=maxVal]').fill('4');
  assert.equal(await page.locator('[name="bands.0.to"]').inputValue(), '2.5', 'rows are closed up');
  await page.getByRole('button', { name: 'Save' }).first().click();
  await page.getByText('Its configuration is changed.').waitFor();
  await page.getByText('Show Config').click();
  assert.match(await page.locator('#config-json').textContent(), /"maxVal": 4/);
  await page.getByLabel('Tags, with commas between').fill('steam, north');
  await page.locator('form[action$="/tag"] button').click();
  await page.getByText('Its tags are changed.').waitFor();
  assert.equal(await page.getByLabel('Tags, with commas between').inputValue(), 'north, steam');
  await context.close();
});

test('values are downloaded as they were chosen', async () => {
  const { page, wrong } = await signedIn(its, '/');
  const { device, token } = await done(page, 'POST', '/devices', { name: 'Cellar' });
  assert.equal((await upload(its, token, { tmp: 11.5, light: 3, seq: 1 })).status, 202);
  await page.goto(`${its.server.origin}/download`);
  await page.locator('select[name=device]').selectOption({ label: 'Cellar' });
  await page.getByRole('button', { name: 'Show it' }).click();
  await page.getByRole('heading', { name: 'Newest values of Cellar' }).waitFor();
  await page.getByLabel('tmp').check();
  await page.locator('select[name=span]').selectOption({ label: 'The last hour' });
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download Data' }).click()]);
  assert.equal(file.suggestedFilename(), 'Cellar.csv');
  const rows = readFileSync(await file.path(), 'utf8').trim().split('\r\n');
  assert.equal(rows.length, 2, rows.join('\n'));
  assert.equal(rows[0], 'device,sensor,value,unit,time_received,time_created');
  assert.match(rows[1], /^Cellar,tmp,11\.5,,2/);
  assert.ok(device.id);
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('a Tswarm node is given its config.json, and each family its steps', async () => {
  const { page } = await signedIn(its, '/add/tswarm');
  await page.goto(`${its.server.origin}/add/tswarm`);
  await page.getByLabel('Name of the node').fill('greenhouse');
  await page.getByRole('button', { name: 'Add Device' }).click();
  const config = JSON.parse(await page.locator('#config-json').textContent());
  assert.equal(config.svconf.login, 'greenhouse');
  assert.match(config.svconf.url, /^http:\/\/.*\/api\/v1\/tswarm\/greenhouse$/);
  for (const [kind, words] of [['cwm', 'custom endpoints'], ['sca11h', 'cloud'], ['mcu', `#define WS_PORT   ${its.server.ws}`]]) {
    await page.goto(`${its.server.origin}/add/${kind}`);
    assert.ok((await page.locator('main').innerText()).includes(words), kind);
  }
  await page.getByLabel('Its number').fill('7');
  await page.getByRole('button', { name: 'Add Device' }).click();
  await page.waitForURL((url) => url.pathname.startsWith('/devices/'));
});
