// The script that the documentation shows, as a stranger runs it, and that the documentation shows it as it is.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { createEmulator } from './support/emulator.mjs';

const SCRIPT = fileURLToPath(new URL('../../../examples/emulator/text.mjs', import.meta.url));
const DOCUMENTATION = fileURLToPath(new URL('../../../docs/emulator.md', import.meta.url));
/** Beside the packages of these tests, where it finds the SDK. */
const COPY = fileURLToPath(new URL('./node_modules/.example.mjs', import.meta.url));
const PRINTED = 'outbound-api delivered Table for two at seven?\ninbound received At eight, please\n';

test('a stranger’s script runs', async () => {
  const emulator = await createEmulator();
  await emulator.start();
  await copyFile(SCRIPT, COPY);
  try {
    const environment = { ...process.env, EMULATOR_URL: emulator.url };
    const { stdout } = await promisify(execFile)(process.execPath, [COPY], { env: environment, timeout: 30_000 });
    assert.equal(stdout, PRINTED);
  } finally {
    await rm(COPY, { force: true });
    await emulator.remove();
  }
});

test('the documentation shows the script', async () => {
  const [script, documentation] = await Promise.all([readFile(SCRIPT, 'utf8'), readFile(DOCUMENTATION, 'utf8')]);
  assert.ok(documentation.includes(script.trimEnd()));
});
