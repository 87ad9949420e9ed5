// Records what the SDK sends: one frame of each kind, as bytes, into the folder that is named.
//
//   node record.mjs ../../../crates/trunkline-proto/tests/golden/twilsock
//
// The frames are those of the official SDK against the emulator; nothing in them is changed. Tokens are of an account
// that was made up for the run.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const WebSocket = createRequire(require.resolve('twilsock'))('ws');
const kept = new Map();

/** The kind of a frame, as a file name; nothing for what is not kept. */
function kind(bytes) {
  const [, length] = /^TWILSOCK V3\.0 (\d+)\r\n/.exec(bytes.toString('latin1')) ?? [];
  const begin = bytes.indexOf('\r\n') + 2;
  const header = JSON.parse(bytes.subarray(begin, begin + Number(length)).toString());
  if (header.method !== 'message') return header.method.replace('.', '-');
  const { method, path: where } = header.http_request;
  return {
    'GET Configuration': 'message-configuration',
    'POST Subscriptions': 'message-subscriptions',
    'POST Messages': 'message-send',
    'POST Typing': 'message-typing',
    'GET Items': 'message-items',
  }[`${method} ${where.split('/').at(-1)}`];
}

const send = WebSocket.prototype.send;
WebSocket.prototype.send = function record(data, ...rest) {
  const bytes = Buffer.from(data);
  const name = kind(bytes);
  // The longest of a kind says the most.
  if (name && bytes.length > (kept.get(name)?.length ?? 0)) kept.set(name, bytes);
  return send.call(this, data, ...rest);
};

const { createEmulator, next } = await import('./support/emulator.mjs');
const folder = process.argv[2];
if (!folder) throw new Error('name the folder for the frames');
const emulator = await createEmulator();
await emulator.start();
const sid = await emulator.conversation(['ada']);
const ada = await emulator.ready('ada');
const conversation = await ada.getConversationBySid(sid);
await conversation.getParticipants();
await conversation.typing();
const arrived = next(ada, 'messageAdded');
await conversation.sendMessage('Grüße, 世界 🎉', { mood: 'fine' });
await arrived;
await conversation.getMessages(3);
await ada.updateToken(emulator.token('ada', 3000));
await ada.shutdown();
await mkdir(folder, { recursive: true });
for (const [name, bytes] of kept) await writeFile(path.join(folder, `${name}.frame`), bytes);
await emulator.remove();
console.log([...kept.keys()].sort().join('\n'));
process.exit(0);
