// Runs the real program for a test: on free ports, in a folder of its own, with nothing of the caller's settings.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PROGRAM = path.resolve(ROOT, process.env.TRUNKLINE_BIN ?? 'target/debug/trunkline');
const READY_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 20_000;
const KEPT_OUTPUT = 20_000;

async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** Asks `condition` until it is true. `what` is named when it never was. */
export async function eventually(what, condition, withinMs = 10_000) {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(25);
  }
}

/** `trunkline up` with its own data folder. `start` and `kill` may alternate; `remove` ends it and its data. */
export async function createProgram(settings = {}) {
  await access(PROGRAM, constants.X_OK).catch(() => {
    throw new Error(`no program at ${PROGRAM}: run "cargo build" first, or name one in TRUNKLINE_BIN`);
  });
  const [gatewayPort, emulatorPort] = await freePorts(2);
  const data = await mkdtemp(path.join(tmpdir(), 'trunkline-browser-'));
  const gateway = `http://127.0.0.1:${gatewayPort}`;
  const emulator = `http://127.0.0.1:${emulatorPort}`;
  const own = Object.entries(process.env).filter(([name]) => !/^(TWILIO|TRUNKLINE|OTEL|OPENAI)_/.test(name));
  let child = null;
  let output = '';

  async function start() {
    child = spawn(PROGRAM, [
      'up', '--listen', `127.0.0.1:${gatewayPort}`, '--emulator-listen', `127.0.0.1:${emulatorPort}`, '--data-dir', data,
    ], { cwd: data, env: { ...Object.fromEntries(own), ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
    const mine = child;
    let failure = null;
    mine.on('error', (error) => { failure = error; });
    for (const stream of [mine.stdout, mine.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { output = (output + text).slice(-KEPT_OUTPUT); });
    }
    await eventually('the gateway is ready', async () => {
      if (failure || mine.exitCode !== null || mine.signalCode !== null) {
        throw new Error(`the program ended before it was ready (${failure ?? mine.exitCode ?? mine.signalCode})\n${output}`);
      }
      return fetch(`${gateway}/readyz`).then((answer) => answer.ok, () => false);
    }, READY_WITHIN_MS).catch((error) => {
      mine.kill('SIGKILL');
      throw new Error(`${error.message}\n${output}`);
    });
  }

  async function end(signal) {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const patience = new AbortController();
    const late = pause(STOPPED_WITHIN_MS, 'late', { signal: patience.signal }).catch(() => 'in time');
    const first = await Promise.race([ended, late]);
    patience.abort();
    if (first === 'late') {
      child.kill('SIGKILL');
      throw new Error(`${signal} did not end the program within ${STOPPED_WITHIN_MS} ms\n${output}`);
    }
  }

  return {
    gateway,
    emulator,
    start,
    kill: () => end('SIGKILL'),
    output: () => output,
    async remove() {
      try {
        await end('SIGTERM');
      } finally {
        await rm(data, { recursive: true, force: true });
      }
    },
  };
}
