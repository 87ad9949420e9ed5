// The web chat: a visitor writes, sees that an answer is being made, and gets it, on our page and on somebody else's.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { TELEPHONE, createBrowser, overflow } from './support/browser.mjs';
import { createModel } from './support/model.mjs';
import { createProgram, eventually } from './support/program.mjs';
import { createSite } from './support/site.mjs';

const TOKEN = 'a-token-for-the-browser-tests';

let browser;
let model;
let program;
let shop;
let stranger;

before(async () => {
  browser = await createBrowser();
  [model, shop, stranger] = await Promise.all([createModel(), createSite(), createSite()]);
  program = await createProgram({
    TRUNKLINE_AGENT: 'chat', TRUNKLINE_MODEL: 'm', OPENAI_BASE_URL: model.url, TRUNKLINE_DEBOUNCE: '0',
    TRUNKLINE_WEBCHAT_ORIGINS: shop.url, TRUNKLINE_CONSOLE_TOKEN: TOKEN,
  });
  await program.start();
  for (const site of [shop, stranger]) site.embed(program.gateway);
});

after(async () => {
  await browser?.close();
  await program?.remove();
  await Promise.all([model, shop, stranger].map((server) => server?.close()));
});

const chat = () => `${program.gateway}/chat`;
const mine = (page) => page.locator('.message.mine .body');
const theirs = (page) => page.locator('.message.theirs .body');
const settled = (page) => page.locator('.message.said.mine .body');

async function say(page, text) {
  await page.locator('#body').fill(text);
  await page.locator('#body').press('Enter');
}

/** Says `text`, waits until an answer is being made, lets it be `reply`, and waits for it. */
async function ask(page, text, reply) {
  const known = await theirs(page).count();
  await say(page, text);
  await page.locator('#typing').waitFor();
  await eventually('the model is asked', () => model.asked() > 0);
  model.speak(reply);
  await theirs(page).nth(known).waitFor();
  assert.equal(await theirs(page).nth(known).textContent(), reply);
  await page.locator('#typing').waitFor({ state: 'hidden' });
}

test('a visitor writes, sees typing and then the answer; a reload keeps the conversation', async () => {
  const { page, complaints, close } = await browser.open(chat());
  await page.locator('#empty').waitFor();
  await page.locator('#body:focus').waitFor();
  await browser.shot(page, 'chat-empty-1280');
  await say(page, 'Do you have <b>boots</b>?');
  await page.locator('#typing', { hasText: 'typing…' }).waitFor();
  await settled(page).waitFor();
  await browser.shot(page, 'chat-typing-1280');
  await eventually('the model is asked', () => model.asked() > 0);
  model.speak('Yes, in every size.');
  await theirs(page).getByText('Yes, in every size.').waitFor();
  await page.locator('#typing').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('.log b').count(), 0, 'what is said is text');
  await ask(page, 'And slippers?', 'Slippers too.');

  await page.reload();
  await theirs(page).nth(1).waitFor();
  assert.deepEqual(await page.locator('.message .body').allTextContents(), [
    'Do you have <b>boots</b>?', 'Yes, in every size.', 'And slippers?', 'Slippers too.',
  ]);
  await browser.shot(page, 'chat-thread-1280');

  // A second window of the same browser is the same visitor.
  const second = await page.context().newPage();
  await second.goto(chat());
  await theirs(second).nth(1).waitFor();
  await say(second, 'Thank you!');
  await mine(page).getByText('Thank you!').waitFor();
  await eventually('the model is asked', () => model.asked() > 0);
  model.speak('My pleasure.');
  for (const window of [page, second]) await theirs(window).getByText('My pleasure.').waitFor();
  assert.equal(await mine(second).count(), 3);
  assert.deepEqual(complaints, []);
  await close();
});

test('a killed gateway loses nothing and says nothing twice', async () => {
  const { page, close } = await browser.open(chat());
  await ask(page, 'before', 'answer before');
  await program.kill();
  await page.locator('#line', { hasText: 'Reconnecting' }).waitFor();
  await say(page, 'meanwhile');
  await page.locator('.message.sending .body', { hasText: 'meanwhile' }).waitFor();
  await browser.shot(page, 'chat-line-down');
  // What has not left yet outlives a reload as well; the page itself is still in the browser's hands.
  await program.start();
  await page.locator('#line:empty').waitFor({ state: 'attached' });
  await page.locator('#typing').waitFor();
  await eventually('the model is asked', () => model.asked() > 0);
  model.speak('answer meanwhile');
  await theirs(page).getByText('answer meanwhile').waitFor();
  assert.deepEqual(await page.locator('.message .body').allTextContents(), [
    'before', 'answer before', 'meanwhile', 'answer meanwhile',
  ]);
  await close();
});

test('on a telephone everything fits, in the light and in the dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, complaints, close } = await browser.open(chat(), { viewport: TELEPHONE, colorScheme });
    await ask(page, `A long one: ${'unbreakable'.repeat(20)} and مرحبا بكم`, `As long: ${'word '.repeat(60)}end`);
    await say(page, 'x'.repeat(4097));
    await page.locator('#problem', { hasText: 'too long' }).waitFor();
    await page.locator('#body').fill('');
    await say(page, 'One more');
    await page.locator('#typing').waitFor();
    await browser.shot(page, `chat-390-${colorScheme}`);
    assert.equal(await overflow(page), 0);
    const send = await page.locator('#send').boundingBox();
    assert.ok(send.y + send.height <= TELEPHONE.height && send.x + send.width <= TELEPHONE.width, 'the send button is in sight');
    await eventually('the model is asked', () => model.asked() > 0);
    model.speak('Done.');
    await theirs(page).getByText('Done.').waitFor();
    assert.deepEqual(complaints, []);
    await close();
  }
});

test('a page of an allowed origin shows the chat in a corner, by mouse and by keyboard', async () => {
  const { page, complaints, close } = await browser.open(shop.url);
  const button = page.getByRole('button', { name: 'Ask us' });
  await button.focus();
  await page.keyboard.press('Enter');
  const frame = page.frameLocator('iframe[title="Ask us"]');
  await frame.locator('#empty').waitFor();
  await ask(frame, 'Are you open?', 'Until eight.');
  await browser.shot(page, 'chat-embedded-1280');
  await page.keyboard.press('Escape');
  await page.locator('iframe').waitFor({ state: 'hidden' });
  assert.ok(await button.evaluate((node) => node === document.activeElement), 'the focus is back at the button');
  await page.reload();
  await button.click();
  await theirs(frame).getByText('Until eight.').waitFor();
  await frame.locator('#close').click();
  await page.locator('iframe').waitFor({ state: 'hidden' });
  await page.setViewportSize(TELEPHONE);
  await button.click();
  await theirs(frame).getByText('Until eight.').waitFor();
  const box = await page.locator('iframe').boundingBox();
  assert.deepEqual([box.width, box.height], [TELEPHONE.width, TELEPHONE.height]);
  await browser.shot(page, 'chat-embedded-390');
  assert.deepEqual(complaints, []);
  await close();
});

test('a page of another origin gets no chat', async () => {
  const { page, complaints, close } = await browser.open(stranger.url);
  await page.getByRole('button', { name: 'Ask us' }).click();
  await eventually('the browser refuses the frame', () => complaints.some((text) => text.includes('frame-ancestors')));
  assert.equal(await page.frameLocator('iframe').locator('#body').count(), 0);
  await close();
});

test('the console shows the visitor, the connector and that someone types', async () => {
  const visitor = await browser.open(chat());
  await ask(visitor.page, 'Is anybody there?', 'Always.');
  const { page, complaints, close } = await browser.open(program.gateway);
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');
  await page.locator('#s-connector-webchat', { hasText: 'Web chat' }).waitFor();
  await page.locator('#s-connector-twilio', { hasText: 'healthy' }).waitFor();
  await page.locator('.row-link', { hasText: 'Always.' }).click();
  await page.locator('#who-connector', { hasText: 'Web chat' }).waitFor();
  await visitor.page.locator('#body').pressSequentially('I am thinking');
  await page.locator('#who-typing').waitFor();
  await page.locator('.row .typist').waitFor();
  await browser.shot(page, 'console-webchat-typing');
  await visitor.page.locator('#body').fill('');
  await page.locator('#who-typing').waitFor({ state: 'hidden' });
  assert.deepEqual(complaints, []);
  await close();
  await visitor.close();
});
