// Workflows in the console: the graph, the runs as they happen, and one that goes on where it failed.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { TELEPHONE, createBrowser, overflow } from './support/browser.mjs';
import { createProgram } from './support/program.mjs';

const TOKEN = 'a-token-for-the-browser-tests';

let program;
let browser;
let folder;
let far;
let isBroken = true;

before(async () => {
  far = createServer((_, response) => response.writeHead(isBroken ? 400 : 200).end('{}')).listen(0, '127.0.0.1');
  await new Promise((done) => far.once('listening', done));
  folder = await mkdtemp(path.join(tmpdir(), 'trunkline-workflows-'));
  await writeFile(path.join(folder, 'order.toml'), `
name = "order"
description = "Somebody orders something"
[[trigger]]
api = true
[node.check]
kind = "condition"
if = "event.data.size > 0"
[node.book]
kind = "http"
needs = ["check.yes"]
url = "http://localhost:${far.address().port}/"
[node.refuse]
kind = "join"
needs = ["check.no"]
[node.wait-for-payment]
kind = "wait"
needs = ["book"]
event = "message.added"
for = "1h"
[node.done]
kind = "join"
needs = ["wait-for-payment", "refuse"]
join = "any"
`);
  browser = await createBrowser();
  program = await createProgram({
    TRUNKLINE_CONSOLE_TOKEN: TOKEN, TRUNKLINE_WORKFLOWS: folder, TRUNKLINE_WORKFLOWS_ALLOWED_HOSTS: 'localhost',
  });
  await program.start();
});

after(async () => {
  await browser?.close();
  await program?.remove();
  far?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function begin(data) {
  const answer = await fetch(`${program.gateway}/api/v1/workflows/order/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ data }),
  });
  assert.equal(answer.status, 201, await answer.text());
}

async function signIn(page) {
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');
  await page.locator('#app').waitFor();
}

const node = (page, name, state) => page.locator(`.graph .node[data-state="${state}"]`, { hasText: name });

test('a run is seen while it runs, and goes on where it failed', async () => {
  const { page, complaints, close } = await browser.open(program.gateway);
  await signIn(page);
  await page.click('#section-workflows');
  await page.locator('.workflow-link', { hasText: 'order' }).click();
  await node(page, 'wait-for-payment', 'none').waitFor();
  assert.equal(await page.locator('.graph .node').count(), 5);
  await begin({ size: 1 });
  await page.locator('.run-link', { hasText: 'Failed' }).click();
  await node(page, 'book', 'failed').waitFor();
  await node(page, 'check', 'done').waitFor();
  await page.locator('#steps', { hasText: 'workflow.http_status' }).waitFor();
  await browser.shot(page, 'console-workflow-failed');
  isBroken = false;
  await page.click('#run-replay');
  await node(page, 'wait-for-payment', 'waiting').waitFor();
  await browser.shot(page, 'console-workflow-waiting');
  await page.selectOption('#run-state', 'failed');
  await page.locator('#runs-empty').waitFor();
  await page.selectOption('#run-state', '');
  await page.click('#run-cancel');
  await page.locator('#run-badge', { hasText: 'Cancelled' }).waitFor();
  await begin({ size: 0 });
  await page.locator('.run-link', { hasText: 'Done' }).click();
  await node(page, 'refuse', 'done').waitFor();
  await node(page, 'book', 'skipped').waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test('on a telephone nothing is cut off', async () => {
  const { page, complaints, close } = await browser.open(program.gateway, { viewport: TELEPHONE });
  await signIn(page);
  await page.goto(`${program.gateway}/#/workflows/order`);
  await page.locator('#runs .run-link').first().waitFor();
  assert.equal(await overflow(page), 0);
  await browser.shot(page, 'console-workflow-telephone');
  assert.deepEqual(complaints, []);
  await close();
});
