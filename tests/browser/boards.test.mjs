// Two boards on raw sockets and a person at a page: LED on for all, a number within its range, recording, the listener.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { test } from 'node:test';
import { house, signedIn } from './person.mjs';

const LED_ON = '8103312c31';
const LED_OFF = '8103312c30';
const SETTINGS = `
[[mcu.profiles]]
name = "board"
commands = [{ name = "LED", n = 1 }, { name = "Valve", n = 2, takes = "number", min = 0, max = 90, confirm = true }]
`;
const its = house({ HOMEPORT_DEVICES_UNKNOWN: 'accept' }, SETTINGS);

// A board as the firmware is one: a constant key, six lines, frames with an all-zero mask (websocket-mcu.md §2, §3).
async function board(port) {
  const socket = net.connect(port, '127.0.0.1');
  let heard = Buffer.alloc(0);
  const waiting = [];
  const look = () => waiting.splice(0).forEach((again) => again());
  socket.on('data', (piece) => {
    heard = Buffer.concat([heard, piece]);
    look();
  });
  let ended = false;
  socket.on('close', () => {
    ended = true;
    look();
  });
  socket.on('error', () => {});
  const until = async (found) => {
    while (!found()) await new Promise((resolve) => waiting.push(resolve));
  };
  const lines = ['GET /ws HTTP/1.1', `Host: 127.0.0.1:${port}`, 'Upgrade: WebSocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: L159VM0TWUzyDxwJEIEzjw==', 'Sec-WebSocket-Version: 13'];
  for (const line of lines) socket.write(`${line}\r\n`);
  socket.write('\r\n');
  await until(() => ended || heard.includes('\r\n\r\n'));
  assert.ok(heard.includes('DdLWT/1JcX+nQFHebYP+rqEx5xI='), heard.toString());
  heard = heard.subarray(heard.indexOf('\r\n\r\n') + 4);
  return {
    says: (text) => socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])),
    hears: async (hex) => {
      await until(() => ended || heard.length >= hex.length / 2);
      assert.equal(heard.subarray(0, hex.length / 2).toString('hex'), hex);
      heard = heard.subarray(hex.length / 2);
    },
    silent: () => heard.length === 0,
    ends: () => until(() => ended),
    leave: () => socket.destroy(),
  };
}

// Reloads the page until it shows what is awaited; nothing announces it to the test.
async function shows(page, path, words) {
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    await page.goto(`${its.server.origin}${path}`);
    if (words.test(await page.locator('main').innerText())) return;
  }
  assert.fail(`${words} is not in:\n${await page.locator('main').innerText()}`);
}

const press = (page, name) => Promise.all([page.waitForResponse((answer) => answer.request().method() === 'POST'), page.getByRole('button', { name, exact: true }).click()]);
const result = async (page, address) => (await page.getByRole('status').locator('tr', { has: page.getByRole('link', { name: address, exact: true }) }).innerText()).replaceAll(/\s+/g, ' ');

test('a page sets the LED on all boards, on one, and says who was not there', async () => {
  const { page, wrong } = await signedIn(its, '/send');
  const [five, six, seven] = [await board(its.server.ws), await board(its.server.ws), await board(its.server.ws)];
  five.says('5,1,20.5');
  six.says('6,1,20.5');
  seven.says('7,1,20.5');
  await shows(page, '/send', /5\s+connected\s+6\s+connected\s+7\s+connected/);
  seven.leave();
  await shows(page, '/send', /6\s+connected\s+7\s+offline/);

  await press(page, 'LED on');
  await five.hears(LED_ON);
  await six.hears(LED_ON);
  assert.match(await page.getByRole('status').innerText(), /LED 1: 2 sent, 1 offline/);
  assert.deepEqual([await result(page, '5'), await result(page, '6'), await result(page, '7')].map((line) => line.trim()), ['5 sent', '6 sent', '7 offline']);

  // One alone; it waits for the one that is away.
  await page.getByRole('radio', { name: 'Those chosen here' }).check();
  await page.getByRole('checkbox', { name: /^6/ }).check();
  await page.getByRole('checkbox', { name: /^7/ }).check();
  await page.getByRole('checkbox', { name: 'Let it wait' }).check();
  await press(page, 'LED off');
  await six.hears(LED_OFF);
  assert.ok(five.silent(), 'nobody else hears it');
  assert.match(await result(page, '7'), /offline it waits until/);
  const late = await board(its.server.ws);
  late.says('7,2,20.5');
  await late.hears(LED_OFF);
  await shows(page, '/send', /7\s+LED 0\s+sent/);

  // A number is held to its range, and asked about.
  await page.getByRole('spinbutton', { name: 'Valve' }).fill('91');
  await page.getByRole('button', { name: 'Send Valve' }).click();
  assert.equal(await page.getByRole('spinbutton', { name: 'Valve' }).evaluate((field) => field.validity.rangeOverflow), true, 'the browser holds it back');
  await page.getByRole('spinbutton', { name: 'Valve' }).fill('45.5');
  // The Enter key must not press the first button there is, which switches the LED of all.
  await page.getByRole('spinbutton', { name: 'Valve' }).press('Enter');
  await page.getByPlaceholder('as set for the server').press('Enter');
  await press(page, 'Send Valve');
  assert.ok(five.silent(), 'nothing went out yet');
  await press(page, 'Yes, send it');
  await five.hears('8106322c34352e35');

  // From the page of one board.
  await page.getByRole('status').getByRole('link', { name: '5', exact: true }).click();
  await press(page, 'LED off');
  await five.hears(LED_OFF);
  assert.match(await result(page, '5'), /sent/);
  assert.deepEqual(wrong, [], 'the pages make no noise');

  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of ['/send', '/status']) {
    await page.goto(`${its.server.origin}${path}`);
    const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(wide <= screen, `${path}: ${wide} px on a screen of ${screen}`);
  }
  [five, six, late].forEach((board) => board.leave());
});

test('a day of a board is a file as the original wrote it, a link away', async () => {
  const { page, wrong } = await signedIn(its, '/send');
  const nine = await board(its.server.ws);
  nine.says('9,1,21.25');
  nine.says('9,2,-3');
  await shows(page, '/', /\b9\b/);
  await page.getByRole('link', { name: '9', exact: true }).click();
  const path = new URL(page.url()).pathname;
  await shows(page, path, /Last messages[^]*9,2,-3/);
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  const link = page.locator('#days').getByRole('link').first();
  const name = await link.innerText();
  assert.match(name, /^IoTD009_\d{8}\.csv$/);
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  assert.equal(download.suggestedFilename(), name);
  const lines = (await readFile(await download.path(), 'latin1')).split(/\r?\n/).filter((line) => line);
  assert.match(lines[0], /^\d\d:\d\d:\d\d\.\d{6}, 1\.000000, 21\.250000$/);
  assert.match(lines[1], /^\d\d:\d\d:\d\d\.\d{6}, 2\.000000, -3\.000000$/);
  assert.equal(lines.length, 2);
  assert.deepEqual(wrong, [], 'the page makes no noise');
  nine.leave();
});

test('two boards with one number are a warning on the page', async () => {
  const { page } = await signedIn(its, '/send');
  const [one, other] = [await board(its.server.ws), await board(its.server.ws)];
  one.says('8,1,20');
  await shows(page, '/', /\b8\b/);
  await page.getByRole('link', { name: '8', exact: true }).click();
  const path = new URL(page.url()).pathname;
  other.says('8,70,20');
  await shows(page, path, /8,70,20/);
  one.says('8,2,20');
  await shows(page, path, /warning two boards use this number/);
  [one, other].forEach((board) => board.leave());
});

test('recording is paused and resumed, the listener closed and opened', async () => {
  const { page } = await signedIn(its, '/send');
  const five = await board(its.server.ws);
  await page.goto(`${its.server.origin}/status`);
  await press(page, 'Pause recording');
  assert.match(await page.getByRole('status').innerText(), /Recording of mcu is paused/);
  five.says('5,90,33.25');
  await shows(page, '/status', /paused since .* by .*\s1\s/s);
  await shows(page, '/', /Recording of mcu is paused .*Messages dropped: 1/);
  await page.getByRole('link', { name: '5', exact: true }).click();
  await page.getByText('Recording is paused', { exact: false }).first().waitFor();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('heading', { name: 'Facts' }).waitFor();
  assert.match(await page.locator('main').innerText(), /unrecorded, last\s+5,90,33.25/);
  await page.goto(`${its.server.origin}/status`);
  await press(page, 'Resume recording');
  assert.match(await page.getByRole('status').innerText(), /Recording of mcu is on. Messages dropped in the pause: 1/);

  const ws = page.locator('#listener-ws');
  await Promise.all([page.waitForResponse((answer) => answer.request().method() === 'POST'), ws.getByRole('button', { name: 'Close listener' }).click()]);
  assert.match(await page.getByRole('status').innerText(), /ws is closed\. Connections closed with it: [1-9]/);
  await five.ends();
  assert.match(await page.locator('#listener-https').innerText(), /stays open: the pages are on it/);
  assert.equal(await page.locator('#listener-https button').count(), 0);
  await ws.getByRole('button', { name: 'Open listener' }).click();
  await page.getByText('ws is open at').waitFor();
  const again = await board(its.server.ws);
  again.says('5,91,33.25');
  await shows(page, '/', /Dashboard/);
  again.leave();
});
