// Twilio's SDK and our own client in one conversation: both write, type and read, their sockets are cut meanwhile, and
// in the end both know the same.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createEmulator, eventually, next } from './support/emulator.mjs';
import { createOurClient } from './support/our_client.mjs';

const MESSAGES_OF_EACH = 250;
const CUT_AFTER = 100;
const ALL_WITHIN_MS = 60_000;
const ALPHABETS = ['hello', 'žluťoučký kůň', '世界', '🎉👩‍👩‍👧', 'مرحبا', '"quoted" \\ back\nline\u2028end'];

let emulator;
let ours;

before(async () => {
  emulator = await createEmulator();
  await emulator.start();
});

after(async () => {
  await ours?.remove();
  await emulator?.remove();
});

test('500 messages, typing and read horizons are the same on both sides, across a cut', async () => {
  const sid = await emulator.conversation(['official', 'ours']);
  ours = await createOurClient(emulator.account(), 'ours');
  const official = await emulator.ready('official');
  const conversation = await official.getConversationBySid(sid);
  await conversation.getParticipants();
  await ours.event('it is in the conversation', ({ event }) => event === 'conversationJoined');

  const told = [];
  official.on('messageAdded', (message) => told.push(message));
  const ofOurs = () => ours.events.filter(({ event }) => event === 'messageAdded');
  // Both follow the conversation for certain once something came by it.
  await conversation.sendMessage('first');
  await eventually('both are told', () => told.length === 1 && ofOurs().length === 1);

  await typingBothWays(official, conversation, sid);

  const all = new Set(['first']);
  const officialSays = write('official', all, (body) => conversation.sendMessage(body));
  const oursSays = write('ours', all, (body) => ours.command('send', { conversation: sid, body }));
  await eventually('a good part was told', () => told.length > CUT_AFTER && ofOurs().length > CUT_AFTER, ALL_WITHIN_MS);
  const { cut } = await emulator.control('POST', '/realtime/cut', {});
  assert.equal(cut, 2);
  assert.ok(told.length < 2 * MESSAGES_OF_EACH, 'the cut is in the middle');
  const doubtful = [...await officialSays, ...await oursSays];

  // Whatever was under way when the sockets broke may have arrived or not. The list says so, now that all is quiet.
  const isThere = new Set((await listed(sid)).map(({ body }) => body));
  for (const body of doubtful) if (!isThere.has(body)) await conversation.sendMessage(body);

  const messages = await listed(sid);
  assert.deepEqual(new Set(messages.map(({ body }) => body)), all);
  assert.equal(messages.length, 1 + 2 * MESSAGES_OF_EACH, 'each was said once');
  await eventually('both are told of all', () => told.length >= messages.length && ofOurs().length >= messages.length);

  const known = messages.map(({ index, sid: message, author, body }) => [index, message, author, body]);
  assert.deepEqual(known.map(([index]) => index), known.map((_, place) => place), 'no gap');
  assert.deepEqual(told.map((message) => [message.index, message.sid, message.author, message.body]), known);
  assert.deepEqual(ofOurs().map((message) => [message.index, message.sid, message.author, message.body]), known);

  await horizonsAgree(conversation, sid, messages.length - 1);
});

async function typingBothWays(official, conversation, sid) {
  await conversation.typing();
  await ours.event('Twilio\'s client types', ({ event, identity }) => event === 'typingStarted' && identity === 'official');
  const started = next(official, 'typingStarted', ({ identity }) => identity === 'ours');
  await ours.command('typing', { conversation: sid });
  assert.equal((await started).identity, 'ours');
}

/** Says its messages one after the other, as fast as they are taken. Gives those of which nobody knows. */
async function write(who, all, say) {
  const doubtful = [];
  for (let number = 0; number < MESSAGES_OF_EACH; number += 1) {
    const body = `${ALPHABETS[number % ALPHABETS.length]} ${who} ${number}`;
    all.add(body);
    await say(body).catch(() => doubtful.push(body));
  }
  return doubtful;
}

/** What the conversation holds, as REST has it. */
async function listed(sid) {
  const messages = [];
  let page = { meta: { next_page_url: `/Conversations/${sid}/Messages?PageSize=100` } };
  while (page.meta.next_page_url) {
    const [, where] = page.meta.next_page_url.match(/(\/Conversations\/.*)$/);
    page = await emulator.rest('GET', where);
    messages.push(...page.messages);
  }
  return messages;
}

async function horizonsAgree(conversation, sid, last) {
  const horizons = { official: last - 3, ours: last };
  await conversation.updateLastReadMessageIndex(horizons.official);
  await ours.command('read', { conversation: sid, index: horizons.ours });
  await eventually('Twilio\'s client knows both', async () => {
    const participants = await conversation.getParticipants();
    const known = Object.fromEntries(participants.map((each) => [each.identity, each.lastReadMessageIndex]));
    return known.official === horizons.official && known.ours === horizons.ours;
  });
  assert.equal(conversation.lastReadMessageIndex, horizons.official);
  for (const [identity, index] of Object.entries(horizons)) {
    const isIt = (event) => event.event === 'participantUpdated' && event.identity === identity && event.lastRead === index;
    await ours.event(`our client knows how far ${identity} has read`, isIt);
  }
  await ours.event('our client knows its own', ({ event, index }) => event === 'readHorizonChanged' && index === horizons.ours);
  const { participants } = await emulator.rest('GET', `/Conversations/${sid}/Participants`);
  const kept = Object.fromEntries(participants.map((each) => [each.identity, each.last_read_message_index]));
  assert.deepEqual(kept, horizons);
}
