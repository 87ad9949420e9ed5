// The pages beside the conversations: people, with export and erasure, and knowledge.

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

async function api(path) {
  const answer = await fetch(program.gateway + path, { headers: { authorization: `Bearer ${TOKEN}` } });
  return answer.json();
}

async function opened(place, options) {
  const opened = await browser.open(program.gateway, options);
  await opened.page.fill('#token', TOKEN);
  await opened.page.press('#token', 'Enter');
  await opened.page.locator('#app').waitFor();
  await opened.page.goto(program.gateway + place);
  return opened;
}

test('who is not signed in is sent to the sign-in', async () => {
  for (const place of ['/people', '/knowledge']) {
    const { page, close } = await browser.open(program.gateway + place);
    await page.locator('#token').waitFor();
    await close();
  }
});

test('a person is found with all channels, and erased after a second thought', async () => {
  await text('+15550003331', 'my name is Hedwig');
  await text('+15550003331', 'what is my name?', 'whatsapp');
  for (;;) {
    const { contacts } = await api('/api/v1/contacts?query=hedwig');
    if (contacts[0]?.addresses.length === 2) break;
  }
  const { page, complaints, close } = await opened('/people');
  await page.fill('#search input', 'hedwig');
  await page.locator('.row-link', { hasText: 'Hedwig' }).click();
  await page.locator('#name', { hasText: 'Hedwig' }).waitFor();
  await page.locator('.room-fact', { hasText: 'WhatsApp' }).first().waitFor();
  await page.locator('.room-part', { hasText: 'Remembered' }).locator('.room-value', { hasText: 'Hedwig' }).waitFor();
  await browser.shot(page, 'people');
  const [saved] = await Promise.all([page.waitForEvent('download'), page.locator('#export').click()]);
  assert.match(saved.suggestedFilename(), /^person-.*\.json$/);
  await page.locator('#erase').click();
  await page.locator('#sure button', { hasText: 'Keep' }).click();
  assert.equal((await api('/api/v1/contacts?query=hedwig')).contacts.length, 1);
  await page.locator('#erase').click();
  await page.locator('#sure-yes').click();
  await page.locator('#list-note', { hasText: 'Nobody' }).waitFor();
  assert.equal((await api('/api/v1/contacts?query=hedwig')).contacts.length, 0);
  assert.deepEqual(complaints, []);
  await close();
});

test('files are taken in, searched and removed', async () => {
  const { page, complaints, close } = await opened('/knowledge');
  await page.locator('#collections-note', { hasText: 'Nothing' }).waitFor();
  await page.fill('#add input[name=collection]', 'shop');
  await page.setInputFiles('#add input[name=files]', [
    { name: 'prices.md', mimeType: 'text/markdown', buffer: Buffer.from('# Prices\n\nA pot of jasmine tea is 4 francs.') },
    { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4 no') },
  ]);
  await page.locator('#add-note', { hasText: '1 taken in' }).waitFor();
  await page.locator('#add-note', { hasText: 'broken.pdf: the document cannot be read' }).waitFor();
  await page.locator('.room-fact', { hasText: 'prices.md' }).waitFor();
  await page.fill('#search input', 'how much is tea?');
  await page.press('#search input', 'Enter');
  await page.locator('.room-part', { hasText: 'prices.md, Prices' }).locator('.room-value', { hasText: 'jasmine tea is 4 francs' }).first().waitFor();
  await browser.shot(page, 'knowledge');
  await page.reload();
  await page.locator('.room-fact', { hasText: 'prices.md' }).waitFor();
  await page.locator('.room-fact button').click();
  await page.locator('.room-fact button', { hasText: 'Really' }).click();
  await page.locator('#collections-note', { hasText: 'Nothing' }).waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test('the rooms fit on a telephone', async () => {
  for (const place of ['/people', '/knowledge']) {
    const { page, close } = await opened(place, { viewport: TELEPHONE });
    await page.locator('.room-note').first().waitFor({ state: 'attached' });
    assert.equal(await overflow(page), 0, place);
    await close();
  }
});
