// A person at the microphone: words spoken by flite, which Chromium takes for what a device hears.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const HEADER_BYTES = 44;
/** Chromium plays the file again and again: a pause lets the other side have its turn. */
const PAUSE_SECONDS = 6;

/** `flags` make a Chromium hear `text`, then a pause, then `text` again. `remove` ends the file. */
export async function createMicrophone(text) {
  const folder = await mkdtemp(path.join(tmpdir(), 'trunkline-microphone-'));
  const file = path.join(folder, 'voice.wav');
  await run('flite', ['-voice', 'slt', '-t', text, '-o', file]).catch((error) => {
    throw new Error(`flite does not speak: install Debian's package "flite" (${error.message})`);
  });
  await writeFile(file, withPause(await readFile(file)));
  return {
    flags: [
      '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${file}`,
      '--autoplay-policy=no-user-gesture-required',
    ],
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The same file with silence at its end. flite writes the plain header: the format, then the samples. */
function withPause(wav) {
  if (wav.toString('latin1', 36, 40) !== 'data') throw new Error('flite wrote a WAV file of another form');
  const bytesPerSecond = wav.readUInt32LE(28);
  const longer = Buffer.concat([wav, Buffer.alloc(PAUSE_SECONDS * bytesPerSecond)]);
  longer.writeUInt32LE(longer.length - 8, 4);
  longer.writeUInt32LE(longer.length - HEADER_BYTES, 40);
  return longer;
}
