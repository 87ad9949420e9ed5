// The phone page: what a person types goes through the whole system, and the answer appears in the browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { TELEPHONE, createBrowser, overflow } from './support/browser.mjs';
import { createProgram } from './support/program.mjs';

let program;
let browser;

before(async () => {
  browser = await createBrowser();
  program = await createProgram();
  await program.start();
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

const url = (query) => `${program.emulator}/phone?${new URLSearchParams(query)}`;
const mine = (page) => page.locator('.message.mine .body');
const answers = (page) => page.locator('.message.theirs .body');

async function say(page, text) {
  await page.fill('#body', text);
  await page.press('#body', 'Enter');
}

/** Says `text` and gives the answer to it: the first bubble of the other side that was not there before. */
async function ask(page, text) {
  const known = await answers(page).count();
  await say(page, text);
  const answer = answers(page).nth(known);
  await answer.waitFor();
  return answer.textContent();
}

for (const channel of ['sms', 'whatsapp']) {
  test(`a name told by ${channel} is remembered`, async () => {
    const { page, complaints, close } = await browser.open(url({ from: '+15550001111', channel }));
    await page.locator('#empty').waitFor();
    assert.ok(await ask(page, 'my name is Ada'));
    assert.match(await ask(page, 'what is my name?'), /Ada/);
    assert.deepEqual(await mine(page).allTextContents(), ['my name is Ada', 'what is my name?']);
    await page.locator('.message.mine .status', { hasText: /delivered|read|sent|received/i }).first().waitFor();
    await browser.shot(page, `phone-${channel}-1280`);
    assert.deepEqual(complaints, []);
    await close();
  });
}

test('channels are threads of their own, and a reload shows what was said', async () => {
  const { page, close } = await browser.open(url({ from: '+15550001112' }));
  await ask(page, 'Hello by text');
  await page.getByRole('radio', { name: 'WhatsApp' }).check();
  await page.locator('#empty').waitFor();
  await page.getByRole('radio', { name: 'SMS' }).check();
  await mine(page).getByText('Hello by text').waitFor();
  await page.reload();
  await mine(page).getByText('Hello by text').waitFor();
  assert.equal(await mine(page).count(), 1);
  await close();
});

test('a body is text, whatever it looks like', async () => {
  const { page, complaints, close } = await browser.open(url({ from: '+15550001113' }));
  const hostile = '<img src=x onerror="alert(1)"><b>bold</b> & \u202eright to left\nsecond line';
  await page.fill('#body', hostile);
  await page.press('#body', 'Shift+Enter');
  await page.press('#body', 'Enter');
  await mine(page).first().waitFor();
  assert.equal(await mine(page).first().textContent(), hostile);
  assert.equal(await page.locator('.thread img, .thread b').count(), 0);
  assert.deepEqual(complaints, []);
  await close();
});

test('what the emulator refuses is said beside the text, and can be tried again', async () => {
  const { page, close } = await browser.open(url({ from: '+15550001114' }));
  await page.locator('#empty').waitFor();
  const refusal = { status: 400, contentType: 'application/json', body: '{"code":50407,"message":"Invalid binding"}' };
  await page.route('**/emulator/v1/messages', (route) => route.fulfill(refusal), { times: 1 });
  await say(page, 'Hello');
  const reason = page.locator('.message.failed [role=alert]');
  await reason.waitFor();
  assert.match(await reason.textContent(), /Invalid binding \(50407\)/);
  await page.getByRole('button', { name: 'Try again' }).click();
  await answers(page).first().waitFor();
  assert.deepEqual(await mine(page).allTextContents(), ['Hello']);
  assert.equal(await page.locator('.message.failed').count(), 0);
  await close();
});

test('on a telephone everything fits, in the light and in the dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const from = colorScheme === 'light' ? '+15550001115' : '+15550001116';
    const { page, close } = await browser.open(url({ from }), { viewport: TELEPHONE, colorScheme });
    await ask(page, 'my name is Ada');
    await ask(page, `A long one: ${'unbreakable'.repeat(20)} and مرحبا بكم and 👩🏽‍💻`);
    await browser.shot(page, `phone-390-${colorScheme}`);
    assert.equal(await overflow(page), 0);
    const send = await page.locator('#send').boundingBox();
    assert.ok(send.y + send.height <= TELEPHONE.height && send.x + send.width <= TELEPHONE.width, 'the send button is in sight');
    await page.click('#me');
    await page.fill('#add-number', '12');
    await page.press('#add-number', 'Enter');
    await page.locator('#add-error', { hasText: 'A number starts with' }).waitFor();
    await page.fill('#add-number', '+44 7700 900123');
    await page.press('#add-number', 'Enter');
    await page.locator('#me-number', { hasText: '+44' }).waitFor();
    await page.locator('#empty').waitFor();
    await close();
  }
});

test('a phone decides what becomes of messages to it', async () => {
  const { page, complaints, close } = await browser.open(url({ from: '+15550001118' }));
  const status = (text) => page.locator('.message.theirs .status', { hasText: text }).last().waitFor();
  await page.selectOption('#receiving', 'undelivered');
  await ask(page, 'Hello');
  await status('Undelivered');
  await page.selectOption('#receiving', 'deliver');
  await ask(page, 'Hello again');
  await status('Delivered');
  await page.click('#read-all');
  await status('Read');
  await page.reload();
  await status('Read');
  assert.equal(await page.inputValue('#receiving'), 'deliver');
  assert.deepEqual(complaints, []);
  await close();
});

test('faults are added, shown as they strike, and cleared', async () => {
  const { page, complaints, close } = await browser.open(url({ from: '+15550001119' }));
  await page.getByRole('link', { name: 'Faults' }).click();
  await page.locator('#none').waitFor();
  await page.selectOption('#kind', { label: 'Answer late' });
  await page.getByRole('button', { name: 'Add' }).click();
  const row = page.locator('#rows tr');
  await row.getByText('latency ms=2000').waitFor();
  await page.fill('#text', '{"fault":{"kind":"nothing"}}');
  await page.getByRole('button', { name: 'Add' }).click();
  await page.locator('#error', { hasText: 'not understood' }).waitFor();
  await browser.shot(page, 'phone-faults-1280');
  assert.equal(await overflow(page), 0);
  await row.getByRole('button', { name: 'Clear' }).click();
  await page.locator('#none').waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test('a lost connection is shown and mended, with nothing lost and nothing twice', async () => {
  const { page, close } = await browser.open(url({ from: '+15550001117' }));
  await ask(page, 'my name is Grace');
  const before = await page.locator('.message .body').allTextContents();
  await program.kill();
  await page.locator('#banner').waitFor();
  await browser.shot(page, 'phone-line-down');
  await program.start();
  await page.locator('#banner').waitFor({ state: 'hidden' });
  assert.match(await ask(page, 'what is my name?'), /Grace/);
  assert.deepEqual((await page.locator('.message .body').allTextContents()).slice(0, -1), [...before, 'what is my name?']);
  await close();
});
