// The console: it asks who is there, then shows conversations and threads as they happen.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { TELEPHONE, createBrowser, overflow } from './support/browser.mjs';
import { createProgram } from './support/program.mjs';

const TOKEN = 'a-token-for-the-browser-tests';

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

async function text(from, body, channel = 'sms') {
  const answer = await fetch(`${program.emulator}/emulator/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from, body, channel }),
  });
  assert.equal(answer.status, 201, await answer.text());
}

async function signIn(page) {
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');
  await page.locator('#app').waitFor();
}

const row = (page, address) => page.locator('.row-link', { hasText: address });

test('without the token there is nothing to see', async () => {
  for (const path of ['/api/v1/status', '/api/v1/conversations', '/api/v1/events']) {
    assert.equal((await fetch(program.gateway + path)).status, 401, path);
  }
  const { page, complaints, close } = await browser.open(program.gateway);
  await page.fill('#token', 'a-wrong-token');
  await page.press('#token', 'Enter');
  await page.locator('#login-error', { hasText: 'not the token' }).waitFor();
  await browser.shot(page, 'console-login');
  await signIn(page);
  await page.locator('#s-ready', { hasText: 'Ready' }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test('a conversation and its messages appear while one watches', async () => {
  const { page, complaints, close } = await browser.open(program.gateway);
  await signIn(page);
  assert.equal(await row(page, '+1 555 000 2221').count(), 0);

  await text('+15550002221', 'my name is Ada');
  await row(page, '+1 555 000 2221').click();
  await page.locator('.message.in .body', { hasText: 'my name is Ada' }).waitFor();
  await page.locator('.message.out .body').first().waitFor();

  await text('+15550002221', '<b>what</b> is my name?');
  await page.locator('.message.in .body', { hasText: '<b>what</b> is my name?' }).waitFor();
  await page.locator('.message.out .body').nth(1).waitFor();
  assert.equal(await page.locator('.message.in').count(), 2);
  assert.equal(await page.locator('.thread b').count(), 0);
  await page.locator('.message.out .status', { hasText: /sent|delivered|read/i }).first().waitFor();
  await browser.shot(page, 'console-thread-1280');
  assert.deepEqual(complaints, []);
  await close();
});

test('who is in a conversation is shown, and it can be closed', async () => {
  const { page, complaints, close } = await browser.open(program.gateway);
  await signIn(page);
  await text('+15550002226', 'Hello');
  await row(page, '+1 555 000 2226').click();
  await page.locator('.message.out .body').first().waitFor();
  await page.locator('#people-count', { hasText: '1 participant' }).click();
  await page.locator('.person', { hasText: '+1 555 000 2226' }).waitFor();
  await page.locator('#people-session', { hasText: 'Agent' }).waitFor();
  await browser.shot(page, 'console-people-1280');
  await page.click('#people-close');
  await page.locator('#people-session', { hasText: 'closed' }).waitFor();
  await page.locator('#who-state', { hasText: 'Closed' }).waitFor();
  assert.equal(await page.locator('#people-close').isVisible(), false);
  assert.equal(await overflow(page), 0);
  assert.deepEqual(complaints, []);
  await close();
});

test('newest first, WhatsApp marked, and the keyboard goes through the list', async () => {
  const { page, close } = await browser.open(program.gateway, { colorScheme: 'dark' });
  await signIn(page);
  await text('+15550002222', 'Hello');
  await row(page, '+1 555 000 2222').waitFor();
  await text('+15550002223', 'Hello', 'whatsapp');
  await page.locator('.row:first-child[data-channel=whatsapp]', { hasText: '+1 555 000 2223' }).waitFor();
  await page.keyboard.press('j');
  await page.locator('.row:first-child .row-link[aria-current=true]').waitFor();
  await page.keyboard.press('j');
  await page.locator('.row:nth-child(2) .row-link[aria-current=true]').waitFor();
  await page.locator('.message.out').first().waitFor();
  await browser.shot(page, 'console-dark-1280');
  await page.keyboard.press('Escape');
  await page.locator('#nothing').waitFor();
  await close();
});

test('on a telephone the list and the thread take turns', async () => {
  const { page, close } = await browser.open(program.gateway, { viewport: TELEPHONE });
  await signIn(page);
  await text('+15550002224', `A long one: ${'unbreakable'.repeat(30)}`);
  await row(page, '+1 555 000 2224').waitFor();
  await browser.shot(page, 'console-list-390');
  assert.equal(await overflow(page), 0);
  await row(page, '+1 555 000 2224').click();
  await page.locator('.message.out').first().waitFor();
  assert.equal(await page.locator('#list').isVisible(), false);
  await browser.shot(page, 'console-thread-390');
  assert.equal(await overflow(page), 0);
  await page.click('#back');
  await page.locator('#list').waitFor();
  await close();
});

test('an outage is shown, and what happened meanwhile is there afterwards', async () => {
  const { page, close } = await browser.open(program.gateway);
  await signIn(page);
  await text('+15550002225', 'before the outage');
  await row(page, '+1 555 000 2225').click();
  await page.locator('.message.in .body', { hasText: 'before the outage' }).waitFor();
  await program.kill();
  await page.locator('#banner', { hasText: 'does not answer' }).waitFor();
  await program.start();
  await text('+15550002225', 'after the outage');
  await page.locator('.message.in .body', { hasText: 'after the outage' }).waitFor();
  await page.locator('#banner').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('.message.in').count(), 2);
  await close();
});
