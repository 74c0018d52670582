// The vendor's instructions in a browser: sign in, queue a Port command in /pullform, see it answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { house, signedIn } from './person.mjs';
import { crc, okm, pull, push } from './server.mjs';

const CWM = '0002010203040506';
const its = house();

test('a Port command is queued, announced, pulled, answered and settled', async () => {
  assert.equal(await its.server.ask(push(okm(CWM, 1, '2024-03-01T12:00:00Z', { _hbt: { door: 56 } })), 'POST'), '{"push":true,"pull":false}');

  const { page, wrong } = await signedIn(its, '/pullform');
  await page.goto(`${its.server.origin}/pullform`);
  await page.locator('[name=_dst]').fill(`["${CWM}"]`);
  await page.locator('[name=_cmd]').fill('wr');
  await page.locator('[name=_pld]').fill('{"oke":{"port":"232","baud":115200}}');
  const form = page.locator('form', { has: page.locator('[name=_pld]') });
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === 'POST'),
    form.getByRole('button').click(),
  ]);
  assert.ok(answer.status() < 400, `the form was answered ${answer.status()}`);
  await page.waitForLoadState();

  assert.equal(await its.server.ask(push(okm(CWM, 2, '2024-03-01T12:00:01Z', { _hbt: { door: 57 } })), 'POST'), '{"push":true,"pull":true}');
  const pulled = await its.server.ask(pull(CWM));
  const text = /^\{"okm":(\{.*\}),"pull":false\}$/.exec(pulled)?.[1];
  assert.ok(text, pulled);
  const command = JSON.parse(text);
  assert.deepEqual(command._dst, [CWM]);
  assert.deepEqual(command._pld, { oke: { port: '232', baud: 115200 } });
  assert.equal(crc(text.replace(`"_crc":"${command._crc}"`, '"_crc":"0000"')), command._crc);
  assert.equal(await its.server.ask(pull(CWM)), '{"pull":false}');
  const reply = okm(CWM, command._id, '2024-03-01T12:00:02Z', { oke: { port: '232', baud: 115200 } });
  assert.equal(await its.server.ask(push(reply), 'POST'), '{"push":true,"pull":false}');

  await page.goto(`${its.server.origin}/`);
  await page.getByRole('link', { name: new RegExp(CWM) }).first().click();
  const shown = page.locator('main, body').first();
  await shown.getByText('answered').first().waitFor();
  const words = await shown.innerText();
  for (const expected of [CWM, 'door', '57', 'ok']) assert.ok(words.includes(expected), `${expected} is not in:\n${words}`);
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('the form says what is wrong and queues nothing', async () => {
  const { page } = await signedIn(its, '/pullform');
  await page.goto(`${its.server.origin}/pullform`);
  await page.locator('[name=_dst]').fill(`["${CWM}"]`);
  await page.locator('[name=_cmd]').fill('wr');
  await page.locator('[name=_pld]').fill('{"oke":');
  await page.locator('form', { has: page.locator('[name=_pld]') }).getByRole('button').click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.locator('[name=_pld]').inputValue(), '{"oke":', 'what was typed is still there');
  assert.equal(await its.server.ask(pull(CWM)), '{"pull":false}');
});

test('a form from another site is refused', async () => {
  const { page } = await signedIn(its, '/pullform');
  const cookies = await page.context().cookies();
  assert.ok(cookies.every((cookie) => cookie.httpOnly && cookie.secure && cookie.sameSite !== 'None'), JSON.stringify(cookies));
  const answer = await page.context().request.post(`${its.server.origin}/pullform`, {
    headers: { Origin: 'https://evil.example' },
    form: { _dst: `["${CWM}"]`, _cmd: 'wr', _pld: '{"a":1}' },
  });
  assert.equal(answer.status(), 403);
  assert.equal(await its.server.ask(pull(CWM)), '{"pull":false}');
});
