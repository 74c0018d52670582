// A bed sensor's pushes over plain HTTP, and what a person sees of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { house, signedIn } from './person.mjs';

const NODE = '00:11:22:33:44:55';
// sca11h.md §9, sample A.
const IN_BED = ['61,14,55,31,912,1,978,1004,0', '61,14,55,29,897,1,991,0,0', '60,14,56,29,930,1,1012,0,0', '60,13,56,29,930,1,0,0,0', '60,13,54,33,905,1,969,1020,0'];
const COLUMNS = ['HR', 'RR', 'SV', 'HRV', 'SS', 'ST', 'B2B0', 'B2B1', 'B2B2'];
const its = house();

// By a clock that is right: twenty seconds from 120 on, the last of them now.
const began = new Date(Math.floor(Date.now() / 1000 - 140) * 1000).toISOString().replace('.000', '');

function message(first, rows) {
  const values = rows.map((row, place) => `${first + place},${row}`).join('\r\n');
  const components = COLUMNS.map((name) => `<Component id="${name}"/>`).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>\r\n<Data><Network id="home"><Node id="${NODE}"><Sensor id="BCG"><Measurement time="${began}">${components}<Values sep=",">\r\n${values}\r\n</Values></Measurement></Sensor></Node></Network></Data>`;
}

test('a push over plain HTTP is on the page of its bed, with units', async () => {
  for (let first = 120; first < 140; first += 5) {
    const answer = await fetch(`${its.server.plain}/data/push/`, { method: 'POST', headers: { 'content-type': 'text/xml' }, body: message(first, IN_BED) });
    assert.deepEqual([answer.status, await answer.text()], [200, 'done']);
  }

  const { page, wrong } = await signedIn(its, '/');

  await page.getByRole('link', { name: '001122334455' }).click();
  await page.getByRole('heading', { name: 'Values' }).waitFor();
  const line = async (name) => page.locator('tr', { has: page.getByText(name, { exact: true }) }).first().innerText();
  const expected = {
    hr_bpm: /Heart rate.*60 beats\/min/s,
    rr_rpm: /Respiration rate.*13 breaths\/min/s,
    sv_index: /Stroke volume index.*54/s,
    hrv_ms: /Heart rate variability.*33 ms/s,
    signal_strength: /Signal strength.*905/s,
    status: /Status.*occupied, vital signs measurable/s,
    presence: /Presence.*bed occupied/s,
    beat_ms: /Beat-to-beat interval.*969 ms.*before: 1020, 1012, 991/s,
    event: /Last event.*vital signs available/s,
  };
  for (const [name, words] of Object.entries(expected)) assert.match(await line(name), words);
  await page.getByRole('img', { name: 'Presence', exact: true }).waitFor();
  assert.match(await page.locator('.bands').innerText(), /bed occupied\s+\d+ s/);
  await page.getByRole('heading', { name: 'Summaries' }).waitFor();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('heading', { name: 'Facts' }).waitFor();
  const words = await page.locator('main').innerText();
  assert.match(words, /macs\s+00:11:22:33:44:55|macs\s+001122334455/, words);
  assert.deepEqual(wrong, [], 'the pages make no noise');

  // On a telephone nothing stands beside the screen.
  await page.setViewportSize({ width: 360, height: 740 });
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(wide <= screen, `${wide} px on a screen of ${screen}`);
});
