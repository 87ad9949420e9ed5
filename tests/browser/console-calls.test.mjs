// The console and calls: one that goes on is seen and can be ended, and is told afterwards.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { LAPTOP, TELEPHONE, createBrowser, overflow } from './support/browser.mjs';
import { createProgram } from './support/program.mjs';

const TOKEN = 'a-token-for-the-browser-tests';
/** Recognition and synthesis run on a test machine that does other things too. */
const ANSWER_WITHIN_MS = 30_000;

let program;
let browser;

before(async () => {
  browser = await createBrowser();
  program = await createProgram({ TRUNKLINE_CONSOLE_TOKEN: TOKEN });
  await program.start();
});

after(async () => {
  await browser?.close();
  await program?.remove();
});

async function openConsole(options) {
  const opened = await browser.open(program.gateway, options);
  await opened.page.fill('#token', TOKEN);
  await opened.page.press('#token', 'Enter');
  await opened.page.locator('#app').waitFor();
  return opened;
}

/** A phone in a call with the gateway, whose person typed `words`. */
async function callAndSay(from, words) {
  const opened = await browser.open(`${program.emulator}/phone?${new URLSearchParams({ from })}`);
  await opened.page.getByRole('button', { name: 'Call this number', exact: true }).click();
  await opened.page.locator('#call[data-phase=talking]').waitFor({ timeout: ANSWER_WITHIN_MS });
  await opened.page.getByLabel('Say it for me').fill(words);
  await opened.page.getByLabel('Say it for me').press('Enter');
  return opened;
}

test('calls need the token too', async () => {
  for (const path of ['/api/v1/calls', '/api/v1/calls/CA1', '/api/v1/calls/CA1/recording']) {
    assert.equal((await fetch(program.gateway + path)).status, 401, path);
  }
  assert.equal((await fetch(`${program.gateway}/api/v1/calls/CA1/hang_up`, { method: 'POST' })).status, 401);
});

for (const [name, number, shown, viewport, colorScheme] of [
  ['1280-light', '+15550005111', '+1 555 000 5111', LAPTOP, 'light'],
  ['390-dark', '+15550005112', '+1 555 000 5112', TELEPHONE, 'dark'],
]) {
  test(`a call appears while it goes on, is ended from here and is told afterwards (${name})`, async () => {
    const { page, complaints, close } = await openConsole({ viewport, colorScheme });
    await page.getByRole('link', { name: 'Calls' }).click();
    const live = page.locator('.row.live', { hasText: shown });
    assert.equal(await live.count(), 0);

    const phone = await callAndSay(number, 'My name is Ada');
    await live.waitFor();
    assert.equal(await page.locator('#live-count').textContent(), '1');
    await browser.shot(page, `console-calls-${name}`);
    assert.equal(await overflow(page), 0);

    await live.locator('.row-link').click();
    await page.locator('#call-turns .message.out').first().waitFor({ timeout: ANSWER_WITHIN_MS });
    await browser.shot(page, `console-call-live-${name}`);
    assert.equal(await overflow(page), 0);

    await page.getByLabel('Words for the caller').fill('You are welcome.');
    await page.getByRole('button', { name: 'Say', exact: true }).click();
    await page.locator('#call-turns .message.out', { hasText: 'You are welcome.' }).waitFor({ timeout: ANSWER_WITHIN_MS });
    await page.getByText('Keys, transfer').click();
    await page.getByLabel('Keys to press').fill('12#');
    await page.getByRole('button', { name: 'Press', exact: true }).click();
    await page.getByRole('button', { name: 'Hold', exact: true }).click();
    await page.getByText('On hold: the caller does not hear us').waitFor();
    assert.equal(await page.getByLabel('Words for the caller').isDisabled(), true);
    await browser.shot(page, `console-call-held-${name}`);
    assert.equal(await overflow(page), 0);
    await page.getByRole('button', { name: 'Take back' }).click();
    await page.getByText('On hold: the caller does not hear us').waitFor({ state: 'hidden' });
    await page.getByLabel('Number to connect the caller with').fill('911');
    await page.getByRole('button', { name: 'Transfer', exact: true }).click();
    await page.locator('#call-trouble', { hasText: 'E.164' }).waitFor();

    await page.getByRole('button', { name: 'Hang up' }).click();
    await phone.page.locator('#call[data-phase=ended]').waitFor();
    await page.getByRole('button', { name: 'Hang up' }).waitFor({ state: 'hidden' });
    await page.locator('#call-when', { hasText: /^Today, .*\d:\d\d$/ }).waitFor();
    await page.locator('#call-turns .message.out').first().waitFor();
    await browser.shot(page, `console-call-past-${name}`);

    await page.keyboard.press('Escape');
    await page.locator('#calls-past .row', { hasText: shown }).waitFor();
    assert.equal(await live.count(), 0);
    assert.deepEqual(complaints, []);
    await phone.close();
    await close();
  });
}
