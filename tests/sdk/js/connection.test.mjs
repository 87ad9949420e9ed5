// What happens to the connection: tokens that are renewed and end, sockets that break, an emulator that restarts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createEmulator, eventually, next } from './support/emulator.mjs';

let emulator;

before(async () => {
  emulator = await createEmulator();
  await emulator.start();
});

after(() => emulator?.remove());

const reports = (client, state) => next(client, 'connectionStateChanged', (now) => now === state);

/** A client in a conversation that is open, and the bodies of the messages that it is told of. */
async function listener(identity) {
  const sid = await emulator.conversation([identity]);
  const client = await emulator.ready(identity);
  const conversation = await client.getConversationBySid(sid);
  await conversation.getParticipants();
  const bodies = [];
  client.on('messageAdded', (message) => bodies.push(message.body));
  const say = (body) => emulator.rest('POST', `/Conversations/${sid}/Messages`, { Body: body });
  // The subscription is certain once something came by it.
  await say('first');
  await eventually('the first message is told', () => bodies.length === 1);
  return { client, conversation, bodies, say };
}

test('a token is renewed without a break', async () => {
  const { client, bodies, say } = await listener('ada');
  const states = [];
  client.on('connectionStateChanged', (state) => states.push(state));
  await client.updateToken(emulator.token('ada', 3000));
  await say('second');
  await eventually('the message after the renewal', () => bodies.includes('second'));
  assert.deepEqual(states, []);
});

test('a token that is not renewed is announced to end, and ends', async () => {
  const client = emulator.client(emulator.token('grace', 5));
  const [announced, ended] = [next(client, 'tokenAboutToExpire'), next(client, 'tokenExpired')];
  await announced;
  await ended;
  await reports(client, 'disconnected');
});

test('a token can be made to end', async () => {
  const { client } = await listener('joan');
  const ended = next(client, 'tokenExpired');
  assert.deepEqual(await emulator.control('POST', '/realtime/expire?identity=joan', {}), { expired: 1 });
  await ended;
});

test('a token that is not good is refused for good', async () => {
  const client = emulator.client(`${emulator.token('mary')}x`);
  const error = await next(client, 'connectionError');
  assert.deepEqual([error.terminal, error.httpStatusCode, error.errorCode], [true, 401, 20107]);
});

test('what happens while a socket is broken is told after it, once', async () => {
  const { client, bodies, say } = await listener('annie');
  const [lost, back] = [reports(client, 'connecting'), reports(client, 'connected')];
  assert.deepEqual(await emulator.control('POST', '/realtime/cut?identity=annie', {}), { cut: 1 });
  for (const body of ['second', 'third']) await say(body);
  await lost;
  await back;
  await say('fourth');
  await eventually('all messages', () => bodies.length >= 4);
  assert.deepEqual(bodies, ['first', 'second', 'third', 'fourth']);
});

test('a socket that breaks in the middle of a message loses nothing', async () => {
  const { client, bodies, say } = await listener('hedy');
  const [lost, back] = [reports(client, 'connecting'), reports(client, 'connected')];
  const fault = { kind: 'socket_cut', in_frame: true };
  await emulator.control('POST', '/faults', { match: { identity: 'hedy' }, count: 1, fault });
  await say('second');
  await lost;
  await back;
  await eventually('both messages', () => bodies.length >= 2);
  assert.deepEqual(bodies, ['first', 'second']);
});

test('a client that is sent away for a while comes back', async () => {
  const fault = { kind: 'init_failure', status: 429, backoff_ms: 200 };
  await emulator.control('POST', '/faults', { match: { identity: 'radia' }, count: 1, fault });
  const client = emulator.client(emulator.token('radia'));
  const back = reports(client, 'connected');
  assert.equal((await next(client, 'connectionError')).httpStatusCode, 429);
  await back;
});

test('clients go on after the emulator was restarted', async () => {
  const { client, conversation, bodies, say } = await listener('edith');
  const [lost, back] = [reports(client, 'connecting'), reports(client, 'connected')];
  await emulator.stop();
  await lost;
  await emulator.start();
  await say('second');
  await back;
  await eventually('the message after the restart', () => bodies.length >= 2);
  await conversation.sendMessage('third');
  await eventually('its own message', () => bodies.length >= 3);
  assert.deepEqual(bodies, ['first', 'second', 'third']);
});
