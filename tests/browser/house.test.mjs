// The house: an alert by e-mail from the pages alone, people and what they may do, files, the audit log.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mailbox } from './mailbox.mjs';
import { house, signedIn, thing } from './person.mjs';

const its = house({ HOMEPORT_ACCOUNTS_REGISTRATION: 'invite' });
let post;
before(async () => (post = await mailbox()));
after(() => post?.close());

const go = (page, path) => page.goto(`${its.server.origin}${path}`);
const press = (scope, name) => scope.getByRole('button', { name, exact: true }).click();
const said = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

test('an alert comes by e-mail, from the pages alone', async () => {
  const { page, wrong } = await signedIn(its, '/alerts');
  const { upload } = await thing(its, page, 'Cold room');
  await upload({ tmp: 4.5 });

  await go(page, '/rules/new');
  await page.getByRole('link', { name: 'set the mail server' }).click();
  await page.getByLabel('Mail server').fill('127.0.0.1');
  await page.getByLabel('Encryption').selectOption('none');
  await page.getByText('Another port').click();
  await page.getByLabel('Port', { exact: true }).fill(String(post.port));
  await page.getByLabel('User name').fill('oven@example.org');
  await page.getByLabel('Password').fill('app password');
  await page.getByLabel('Send a test to', { exact: false }).first().fill('nobody@example.org');
  await press(page, 'Set mail server');
  await page.getByRole('alert').filter({ hasText: '550' }).waitFor();
  assert.equal(await page.getByLabel('Password').inputValue(), '', 'the password comes back to nobody');
  await page.getByLabel('Send a test to', { exact: false }).first().fill('chef@example.org');
  await press(page, 'Save');
  await said(page, 'The test to chef@example.org was taken');
  assert.match(await post.letter(/This is a test/), /From: oven@example\.org/);

  await page.getByRole('link', { name: 'make a rule' }).click();
  await page.locator('[name=whom]').selectOption({ label: 'Cold room' });
  await page.getByLabel('Sensor').fill('tmp');
  await page.getByLabel('Upper bound').fill('4');
  const preview = page.locator('[data-preview]');
  await preview.getByText('1 outside now').waitFor();
  await page.getByLabel('Upper bound').fill('7,5');
  await preview.getByText('none outside now').waitFor();
  await page.getByLabel('E-mail to').fill('chef@example.org');
  await press(page, 'Make rule');
  await said(page, 'The rule is made');
  await page.getByRole('row', { name: /Cold room.*chef@example\.org.*watching/ }).waitFor();

  // It fires while somebody looks.
  await go(page, '/alerts');
  await page.getByText('Nothing fires').waitFor();
  await upload({ tmp: 9.25 });
  await page.getByRole('heading', { name: 'Cold room tmp is above 7.5' }).waitFor();
  await page.locator('.bell [data-firing]', { hasText: '1' }).first().waitFor({ state: 'attached' });
  assert.match(await post.letter(/Subject: Cold room tmp is above/), /To: chef@example\.org/);

  await press(page, 'Acknowledge: Cold room');
  await said(page, 'Acknowledged');
  await page.getByText('acknowledged by admin').waitFor();
  await page.getByLabel('Tell nobody of Cold room for').selectOption('28800');
  await press(page, 'Mute: Cold room');
  await said(page, 'Muted');
  await press(page, 'End the quiet: Cold room');
  await said(page, 'No longer muted');

  await upload({ tmp: 5 });
  await page.getByText('Cold room tmp was above 7.5').waitFor();
  await page.getByText('Nothing fires').waitFor();
  assert.match(await post.letter(/is well again/), /Cold room/);
  await page.getByText('Every change').click();
  const changes = await page.locator('.steps').innerText();
  for (const word of ['fired', 'acknowledged', 'muted', 'resolved']) assert.ok(changes.includes(word), changes);

  await go(page, '/deliveries?state=dead');
  await page.getByText('550').first().waitFor();
  await press(page, 'Try again: This is a test of homeport: nothing is wrong.');
  await said(page, 'It is tried again');
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('a rule that makes no sense is shown again with what is wrong, with and without script', async () => {
  const { page } = await signedIn(its, '/rules');
  const state = await page.context().storageState();
  const { id, upload } = await thing(its, page, 'Fermenter');
  await upload({ tmp: 20 });
  const context = await its.browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, storageState: state });
  const plain = await context.newPage();
  await go(plain, `/rules/new?device=${id}`);
  await plain.getByLabel('Sensor').fill('tmp');
  await plain.getByLabel('Lower bound').fill('30');
  await plain.getByLabel('Upper bound').fill('10');
  await press(plain, 'Preview');
  await plain.getByRole('alert').filter({ hasText: 'low is above high' }).waitFor();
  assert.equal(await plain.getByLabel('Lower bound').getAttribute('aria-invalid'), 'true');
  assert.equal(await plain.getByLabel('Upper bound').inputValue(), '10', 'what was typed is still there');
  await plain.getByLabel('Lower bound').fill('1');
  await press(plain, 'Preview');
  await plain.getByText('1 outside now').waitFor();
  await press(plain, 'Make rule');
  await said(plain, 'The rule is made');
  await plain.getByRole('link', { name: 'tmp outside 1 to 10' }).click();
  await plain.getByText('Finer settings').click();
  await plain.getByLabel('Name of the rule').fill('Fermenter out of range');
  await press(plain, 'Save');
  await said(plain, 'The rule is changed');
  await plain.getByRole('link', { name: 'Fermenter out of range' }).click();
  await press(plain, 'Remove rule');
  await said(plain, 'The rule is removed');
  await context.close();
});

test('a webhook is made with its secret shown once, tried out, and removed', async () => {
  const { page, wrong } = await signedIn(its, '/receivers');
  const form = page.locator('form[action="/receivers/webhooks"]');
  await form.getByLabel('Name').fill('Chat');
  await form.getByLabel('URL').fill('https://127.0.0.1:9/hook');
  await press(page, 'Add webhook');
  assert.match(await page.locator('#secret').innerText(), /^whsec_/);
  await go(page, '/receivers');
  assert.equal(await page.locator('#secret').count(), 0);
  await press(page, 'Send test to Chat');
  await page.getByRole('alert').filter({ hasText: 'did not arrive' }).waitFor();
  page.once('dialog', (dialog) => dialog.accept());
  await press(page, 'Remove Chat');
  await said(page, 'The webhook is removed');
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('somebody is invited, makes an account, has tokens, and is removed', async () => {
  const { page, wrong } = await signedIn(its, '/users');
  await page.getByText('Invite somebody').click();
  await page.getByLabel('For whom').fill('Ines');
  await press(page, 'Make invitation');
  const link = await page.locator('#link').innerText();
  assert.match(link, /\/register#inv_/);

  const context = await its.browser.newContext({ ignoreHTTPSErrors: true });
  const guest = await context.newPage();
  await guest.goto(link);
  await guest.getByText('at least 5 characters').waitFor();
  assert.match(await guest.getByLabel('Invitation').inputValue(), /^inv_/);
  assert.ok(!guest.url().includes('inv_'), 'the code does not stay in the address');
  await guest.getByLabel('Username').fill('ines.chef');
  const create = guest.locator('#register');
  await create.locator('[name=password]').fill('long enough 1');
  await create.locator('[name=password_confirmation]').fill('long enough 2');
  await press(guest, 'Create account');
  await guest.getByRole('alert').filter({ hasText: 'differ' }).waitFor();
  await create.locator('[name=password]').fill('long enough 1');
  await create.locator('[name=password_confirmation]').fill('long enough 1');
  await press(guest, 'Create account');
  await guest.waitForURL((url) => url.pathname === '/');

  await go(guest, '/account');
  await guest.getByText('New token').click();
  await guest.getByLabel('Name').fill('script');
  await press(guest, 'Make token');
  const token = await guest.locator('#secret').innerText();
  const me = () => guest.evaluate(async (token) => (await fetch('/api/v1/me', { headers: { authorization: `Bearer ${token}` } })).status, token);
  assert.equal(await me(), 200);
  guest.once('dialog', (dialog) => dialog.accept());
  await press(guest, 'Revoke script');
  await said(guest, 'The token is revoked');
  assert.equal(await me(), 401);
  await guest.getByLabel('Old password').fill('long enough 1');
  await guest.locator('[name=password]').fill('longer still 2');
  await guest.getByLabel('New password once more').fill('longer still 2');
  await press(guest, 'Change password');
  await said(guest, 'The password is changed');

  await go(page, '/users');
  await page.getByRole('link', { name: 'ines.chef' }).click();
  await page.getByLabel('Role').selectOption('viewer');
  await press(page, 'Save');
  await said(page, 'The user is changed');
  page.on('dialog', (dialog) => dialog.accept());
  await press(page, 'Reset password');
  assert.match(await page.locator('#secret').innerText(), /\w{5}-\w{5}/);
  await guest.reload();
  await guest.getByRole('heading', { name: 'Sign in' }).waitFor();
  await press(page, 'Remove user');
  await said(page, 'The user is removed');
  assert.deepEqual(wrong, [], 'the pages make no noise');
  await context.close();
});

test('a file is uploaded and removed, and the audit log has it', async () => {
  const { page, wrong } = await signedIn(its, '/published');
  await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'menu.bin', mimeType: 'application/octet-stream', buffer: Buffer.from('soup') });
  await page.getByLabel('Version').fill('1.2');
  await press(page, 'Upload');
  await said(page, 'The file is uploaded');
  const row = page.getByRole('row', { name: /menu\.bin/ });
  assert.match(await row.innerText(), /1\.2[^]*4 bytes[^]*[0-9a-f]{64}/);
  page.once('dialog', (dialog) => dialog.accept());
  await press(page, 'Remove menu.bin');
  await said(page, 'The file is removed');
  await go(page, '/audit?what=file.remove');
  await page.getByRole('row', { name: /admin.*file\.remove.*menu\.bin.*ok/ }).waitFor();
  assert.deepEqual(wrong, [], 'the pages make no noise');
});

test('health tells of certificates, the store and handshakes', async () => {
  const { page, wrong } = await signedIn(its, '/status');
  await page.getByRole('heading', { name: 'Health' }).waitFor();
  const text = await page.locator('main').innerText();
  assert.match(text, /ready[^]*Certificates[^]*root[^]*until[^]*Failed handshakes[^]*Listeners/);
  assert.deepEqual(wrong, [], 'the page makes no noise');
});
