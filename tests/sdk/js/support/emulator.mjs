// Runs `trunkline emulator` for a test and gives what one needs to talk to it: REST, the control API, tokens, clients.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import conversations from '@twilio/conversations';
import twilio from 'twilio';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const PROGRAM = path.resolve(ROOT, process.env.TRUNKLINE_BIN ?? 'target/debug/trunkline');
const READY_WITHIN_MS = 30_000;
const ANSWER_WITHIN_MS = 10_000;

const { AccessToken } = twilio.jwt;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Asks `condition` until it is true. `what` is named when it never was. */
export async function eventually(what, condition, withinMs = ANSWER_WITHIN_MS) {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(25);
  }
}

/** The next `event` of `emitter` that `wanted` accepts. It listens from the moment of the call. */
export function next(emitter, event, wanted = () => true) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => done(reject, new Error(`no ${event} within ${ANSWER_WITHIN_MS} ms`)), ANSWER_WITHIN_MS);
    const listener = (payload) => { if (wanted(payload)) done(resolve, payload); };
    function done(settle, value) {
      clearTimeout(late);
      emitter.removeListener(event, listener);
      settle(value);
    }
    emitter.on(event, listener);
  });
}

/** An emulator with a data file. `start` and `stop` may alternate; `remove` ends it and every client. */
export async function createEmulator() {
  await access(PROGRAM, constants.X_OK).catch(() => {
    throw new Error(`no program at ${PROGRAM}: run "cargo build" first, or name one in TRUNKLINE_BIN`);
  });
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const folder = await mkdtemp(path.join(tmpdir(), 'trunkline-sdk-'));
  const own = Object.entries(process.env).filter(([name]) => !/^(TWILIO|TRUNKLINE|OTEL|OPENAI)_/.test(name));
  const clients = new Set();
  let child = null;
  let account = null;

  async function start() {
    const file = path.join(folder, 'emulator.db');
    child = spawn(PROGRAM, ['emulator', '--listen', address, '--data-file', file], {
      cwd: folder, env: Object.fromEntries(own), stdio: ['ignore', 'ignore', 'inherit'],
    });
    await eventually('the emulator answers', async () => {
      if (child.exitCode !== null) throw new Error(`the emulator ended with ${child.exitCode}`);
      return fetch(`${url}/healthz`).then((answer) => answer.ok, () => false);
    }, READY_WITHIN_MS);
    account = await control('GET', '/account');
  }

  async function stop() {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async function asked(method, target, options) {
    const answer = await fetch(target, { method, signal: AbortSignal.timeout(ANSWER_WITHIN_MS), ...options });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** The emulator's own API. */
  function control(method, where, body) {
    const json = body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
    return asked(method, `${url}/emulator/v1${where}`, json);
  }

  /** Twilio's REST API, by the path of the account's service. */
  function rest(method, where, form) {
    const credentials = Buffer.from(`${account.account_sid}:${account.auth_token}`).toString('base64');
    const headers = { Authorization: `Basic ${credentials}` };
    const body = form && new URLSearchParams(form);
    return asked(method, `${url}/v1/Services/${account.chat_service_sid}${where}`, { headers, body });
  }

  function token(identity, ttl = 3600) {
    const minted = new AccessToken(account.account_sid, account.api_key, account.api_secret, { identity, ttl });
    minted.addGrant(new AccessToken.ChatGrant({ serviceSid: account.chat_service_sid }));
    return minted.toJwt();
  }

  /** The SDK's client; the one thing that is told to it is where the socket is. */
  function client(jwt) {
    const made = new conversations.Client(jwt, { logLevel: 'silent', twilsock: { uri: account.twilsock_url } });
    clients.add(made);
    return made;
  }

  async function ready(identity) {
    const made = client(token(identity));
    await next(made, 'stateChanged', (state) => state === 'initialized');
    return made;
  }

  /** A conversation with these people in it. */
  async function conversation(identities, fields = {}) {
    const { sid } = await rest('POST', '/Conversations', fields);
    for (const identity of identities) await rest('POST', `/Conversations/${sid}/Participants`, { Identity: identity });
    return sid;
  }

  async function remove() {
    await Promise.all([...clients].map((made) => Promise.race([made.shutdown().catch(() => {}), pause(3000)])));
    await stop();
    await rm(folder, { recursive: true, force: true });
  }

  return { url, account: () => account, start, stop, control, rest, token, client, ready, conversation, remove };
}
