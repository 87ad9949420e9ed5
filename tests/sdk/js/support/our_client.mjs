// Runs the example `realtime` of trunkline-twilio: our own client, with events and commands as lines of JSON.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { eventually } from './emulator.mjs';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const TARGET = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
const PROGRAM = path.join(TARGET, 'debug/examples/realtime');
const COMMAND_WITHIN_MS = 30_000;
const END_WITHIN_MS = 5_000;

/** Our client as `identity`. `events` holds what it told; `command` gives what a command came to. */
export async function createOurClient(account, identity) {
  await access(PROGRAM, constants.X_OK).catch(() => {
    throw new Error(`no program at ${PROGRAM}: run "cargo build --workspace --all-targets" first`);
  });
  const { twilsock_url: url, account_sid: sid, api_key: key, api_secret: secret, chat_service_sid: service } = account;
  const child = spawn(PROGRAM, [url, sid, key, service, identity], {
    env: { PATH: process.env.PATH, TWILIO_API_KEY_SECRET: secret }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  const events = [];
  const waiting = new Map();
  let commands = 0;

  const ended = once(child, 'exit');
  // A client that has ended takes nothing any more; whoever waits for it is told so below.
  child.stdin.on('error', () => {});
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`our client ended with ${code}`));
    waiting.clear();
  });
  createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', (line) => {
    const event = JSON.parse(line);
    if (event.event !== 'done' && event.event !== 'failed') { events.push(event); return; }
    const { resolve, reject } = waiting.get(event.id) ?? {};
    waiting.delete(event.id);
    if (event.event === 'done') resolve?.(event);
    else reject?.(new Error(`our client: ${event.code}`));
  });

  function command(name, fields = {}) {
    commands += 1;
    const id = commands;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`our client is late with ${name}`)), COMMAND_WITHIN_MS);
      const settle = (settled) => (value) => { clearTimeout(late); settled(value); };
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      child.stdin.write(`${JSON.stringify({ id, command: name, ...fields })}\n`);
    });
  }

  /** Waits until an event was told that `wanted` accepts, also before the call. */
  async function event(what, wanted) {
    await eventually(what, () => events.some(wanted));
    return events.findLast(wanted);
  }

  async function remove() {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.stdin.end(`${JSON.stringify({ command: 'quit' })}\n`);
    const late = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS);
    await ended;
    clearTimeout(late);
  }

  return { events, command, event, remove };
}
