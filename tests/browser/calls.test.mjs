// Calls on the phone page: it rings and is called, a person talks and hears, with a microphone and without.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import { TELEPHONE, createBrowser, overflow } from './support/browser.mjs';
import { createMicrophone } from './support/microphone.mjs';
import { createProgram, eventually } from './support/program.mjs';

/** Recognition and synthesis run on a test machine that does other things too. */
const ANSWER_WITHIN_MS = 30_000;
/** Meters go from 0 (silence, -60 dB) to 1; quiet speech is well above this. */
const AUDIBLE = 0.25;

let program;
let microphone;
let browser;
let deaf;
let account;

before(async () => {
  microphone = await createMicrophone('Hello. My name is Ada.');
  browser = await createBrowser(microphone.flags);
  // Without the flags this Chromium has neither a device nor anybody who allows one.
  deaf = await createBrowser(['--autoplay-policy=no-user-gesture-required']);
  program = await createProgram();
  await program.start();
  account = await (await fetch(`${program.emulator}/emulator/v1/account`)).json();
});

after(async () => {
  await browser?.close();
  await deaf?.close();
  await program?.remove();
  await microphone?.remove();
});

const url = (from) => `${program.emulator}/phone?${new URLSearchParams({ from })}`;
const button = (page, name) => page.getByRole('button', { name, exact: true });
const phase = (page, name) => page.locator(`#call[data-phase=${name}]`).waitFor({ timeout: ANSWER_WITHIN_MS });
const state = (page) => page.locator('#call-state').textContent();

async function dial(page) {
  await button(page, 'Call this number').click();
  await phase(page, 'talking');
}

async function hangUp(page) {
  await button(page, 'Hang up').click();
  await phase(page, 'ended');
}

/** Waits until the meter of one side, `mine` or `theirs`, moves as with speech. */
const audible = (page, side) => page.waitForFunction(([id, level]) => {
  const bar = document.getElementById(id).firstElementChild;
  return new DOMMatrix(getComputedStyle(bar).transform).a > level;
}, [`meter-${side}`, AUDIBLE], { timeout: ANSWER_WITHIN_MS });

/** Twilio's API for calls at the emulator. */
async function calls(path, form) {
  const answer = await fetch(`${program.emulator}/2010-04-01/Accounts/${account.account_sid}/Calls${path}.json`, {
    method: form ? 'POST' : 'GET',
    headers: { authorization: `Basic ${Buffer.from(`${account.account_sid}:${account.auth_token}`).toString('base64')}` },
    body: form && new URLSearchParams(form),
  });
  const call = await answer.json();
  assert.ok(answer.ok, JSON.stringify(call));
  return call;
}

/** Watches what the page opens; `released()` says whether every microphone and every sound is closed again. */
async function watchSound(page) {
  await page.evaluate(() => {
    window.opened = { contexts: [], tracks: [] };
    const listen = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await listen(wanted);
      window.opened.tracks.push(...stream.getTracks());
      return stream;
    };
    window.AudioContext = class extends AudioContext {
      constructor(options) {
        super(options);
        window.opened.contexts.push(this);
      }
    };
  });
  return () => page.waitForFunction(() => window.opened.tracks.length > 0 && window.opened.contexts.length > 0
    && window.opened.tracks.every((track) => track.readyState === 'ended')
    && window.opened.contexts.every((context) => context.state === 'closed'));
}

const callPhone = (to, twiml) => calls('', { From: account.phone_number, To: to, Twiml: `<Response>${twiml}</Response>` });
const isReady = (page) => page.locator('#dial[data-line=up]').waitFor();

test('a person calls the gateway, talks, hears the answer and hangs up', async () => {
  const { page, complaints, close } = await browser.open(url('+15550003111'));
  const released = await watchSound(page);
  await button(page, 'Call this number').click();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'call-who', 'the focus is on the sheet');
  assert.equal(await page.evaluate(() => document.getElementById('composer').inert), true, 'nothing behind it takes keys');
  await phase(page, 'talking');
  assert.equal(await state(page), 'In call');
  await audible(page, 'mine');
  await audible(page, 'theirs');
  await browser.shot(page, 'call-talking-1280');

  await page.keyboard.press('Escape');
  assert.equal(await state(page), 'In call', 'Escape does not hang up');
  await button(page, 'Mute').click();
  await page.getByText('You are muted.').waitFor();
  await page.waitForFunction(() => new DOMMatrix(getComputedStyle(document.querySelector('#meter-mine i')).transform).a === 0);
  await button(page, 'Mute').click();
  await audible(page, 'mine');

  await hangUp(page);
  assert.equal(await state(page), 'You hung up');
  await released();
  assert.match(await page.locator('#call-time').textContent(), /^\d+:\d\d$/);
  await browser.shot(page, 'call-ended-1280');
  await button(page, 'Close').click();
  await page.locator('#call').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.activeElement.id), 'dial', 'the focus is back');
  assert.deepEqual(complaints, []);
  await close();
});

test('the phone rings, is answered, and its keys reach the caller', async () => {
  const pressed = [];
  const receiver = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part) => { body += part; }).on('end', () => {
      pressed.push(new URLSearchParams(body).get('Digits'));
      response.writeHead(200, { 'content-type': 'text/xml' }).end('<Response><Pause length="30"/></Response>');
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { page, close } = await browser.open(url('+15550003112'));
  await isReady(page);
  const action = `http://127.0.0.1:${receiver.address().port}/digits`;
  await callPhone('+15550003112', `<Gather input="dtmf" numDigits="3" timeout="30" action="${action}"><Say>Please press three keys, one after the other.</Say></Gather>`);
  await phase(page, 'incoming');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'call-who', 'the focus is on the sheet');
  await browser.shot(page, 'call-incoming-1280');
  await button(page, 'Answer').click();
  await phase(page, 'talking');
  await audible(page, 'theirs');
  await button(page, 'Keypad').click();
  await button(page, '1').click();
  await page.keyboard.press('2');
  await button(page, 'pound').click();
  assert.equal(await page.locator('#keypad-digits').textContent(), '12#');
  await browser.shot(page, 'call-keypad-1280');
  await eventually('the keys arrive', () => pressed.length > 0, ANSWER_WITHIN_MS);
  assert.match(pressed[0], /^12/);
  await hangUp(page);
  await close();
  receiver.closeAllConnections();
  receiver.close();
});

test('a call is declined, and a call that nobody takes is a missed one', async () => {
  const { page, close } = await browser.open(url('+15550003113'));
  await isReady(page);
  const declined = await callPhone('+15550003113', '<Pause length="30"/>');
  await phase(page, 'incoming');
  await button(page, 'Decline').click();
  await phase(page, 'ended');
  assert.equal(await state(page), 'Declined');
  await eventually('the caller is told', async () => ['busy', 'no-answer'].includes((await calls(`/${declined.sid}`)).status));
  await page.keyboard.press('Escape');
  await page.locator('#call').waitFor({ state: 'hidden' });

  const missed = await callPhone('+15550003113', '<Pause length="30"/>');
  await phase(page, 'incoming');
  await calls(`/${missed.sid}`, { Status: 'canceled' });
  await phase(page, 'ended');
  assert.equal(await state(page), 'Missed call');
  await close();
});

test('without a microphone a person types, and it is said', async () => {
  const { page, complaints, close } = await deaf.open(url('+15550003114'));
  await dial(page);
  await page.locator('#call-note', { hasText: /microphone.*it is said for you/ }).waitFor();
  await page.getByLabel('Say it for me').fill('My name is <b>Ada</b>');
  await page.getByLabel('Say it for me').press('Enter');
  await page.locator('.word.by-me:not(.pending)', { hasText: 'My name is <b>Ada</b>' }).waitFor({ timeout: ANSWER_WITHIN_MS });
  assert.equal(await page.locator('.word').filter({ hasText: 'Ada' }).count(), 1);
  assert.equal(await page.locator('.words b').count(), 0);
  await audible(page, 'theirs');
  await deaf.shot(page, 'call-typed-1280');
  await hangUp(page);
  assert.deepEqual(complaints, []);
  await close();
});

test('on a telephone everything of a call fits, in the light and in the dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const from = colorScheme === 'light' ? '+15550003115' : '+15550003116';
    const { page, close } = await browser.open(url(from), { viewport: TELEPHONE, colorScheme });
    await dial(page);
    const fits = async (name) => {
      await browser.shot(page, `call-${name}-390-${colorScheme}`);
      assert.equal(await overflow(page), 0);
      const end = await button(page, 'Hang up').boundingBox();
      assert.ok(end.y + end.height <= TELEPHONE.height && end.x + end.width <= TELEPHONE.width, 'the button to hang up is in sight');
    };
    await fits('talking');
    await button(page, 'Keypad').click();
    await fits('keypad');
    await hangUp(page);
    await close();
  }
});

test('a lost line ends the call with a reason, and comes back for the next one', async () => {
  const { page, close } = await browser.open(url('+15550003117'));
  await dial(page);
  await program.kill();
  await phase(page, 'lost');
  await browser.shot(page, 'call-lost-1280');
  await program.start();
  await phase(page, 'ended');
  assert.equal(await state(page), 'The line was lost');
  await button(page, 'Call again').click();
  await phase(page, 'talking');
  await hangUp(page);
  await close();
});
