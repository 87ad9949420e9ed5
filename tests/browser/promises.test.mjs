// The console shows what agents have promised for later.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createBrowser } from './support/browser.mjs';
import { createModel } from './support/model.mjs';
import { createProgram, eventually } from './support/program.mjs';

const TOKEN = 'a-token-for-the-browser-tests';

let program;
let browser;
let model;

before(async () => {
  [browser, model] = await Promise.all([createBrowser(), createModel()]);
  program = await createProgram({
    TRUNKLINE_CONSOLE_TOKEN: TOKEN, TRUNKLINE_AGENT: 'chat', TRUNKLINE_MODEL: 'm', OPENAI_BASE_URL: model.url,
  });
  await program.start();
});

after(async () => {
  await browser?.close();
  await program?.remove();
  await model?.close();
});

const orders = { authorization: `Bearer ${TOKEN}` };

test('a text that is promised stands below the thread until it is taken back', async () => {
  const { page, complaints, close } = await browser.open(program.gateway);
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');
  await page.locator('#app').waitFor();
  const sent = await fetch(`${program.emulator}/emulator/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from: '+15550002221', body: 'remind me in an hour' }),
  });
  assert.equal(sent.status, 201);
  await eventually('the model is asked', () => model.asked() === 1);
  model.call('schedule_text', { text: 'Your tea <b>is</b> ready', in_minutes: 60 });
  await eventually('it is asked again', () => model.asked() === 1);
  model.speak('I will remind you.');
  await page.locator('.row-link', { hasText: '+1 555 000 2221' }).click();
  const promise = page.locator('.promise');
  await promise.waitFor();
  assert.match(await promise.textContent(), /^Promised for .+, \d\d:\d\d: Your tea <b>is<\/b> ready$/);
  await browser.shot(page, 'console-promise');

  const read = async (path) => (await fetch(`${program.gateway}/api/v1/conversations${path}`, { headers: orders })).json();
  const { id } = (await read('')).conversations[0];
  const [known] = (await read(`/${id}/scheduled`)).scheduled;
  const path = `${program.gateway}/api/v1/conversations/${id}/scheduled/${known.id}`;
  assert.equal((await fetch(path, { method: 'DELETE', headers: orders })).status, 200);
  await promise.waitFor({ state: 'detached' });
  assert.deepEqual(complaints, []);
  await close();
});
