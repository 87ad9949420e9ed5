// What people do with the SDK: start, join, write, page, type, read, send files.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createEmulator, eventually, next } from './support/emulator.mjs';

const PERSON = '+15550001111';
let emulator;

before(async () => {
  emulator = await createEmulator();
  await emulator.start();
});

after(() => emulator?.remove());

test('a client starts with the conversations that it is in', async () => {
  const attributes = JSON.stringify({ topic: 'start' });
  const sid = await emulator.conversation(['ada'], { FriendlyName: 'Start', UniqueName: 'über/uns', Attributes: attributes });
  const ada = await emulator.ready('ada');
  const [found] = (await ada.getSubscribedConversations()).items;
  assert.deepEqual(
    [found.sid, found.friendlyName, found.uniqueName, found.attributes, found.status],
    [sid, 'Start', 'über/uns', { topic: 'start' }, 'joined'],
  );
  assert.equal((await ada.getConversationByUniqueName('über/uns')).sid, sid);
  await assert.rejects(ada.getConversationBySid(`CH${'0'.repeat(32)}`));
});

test('a client is told that it was added and that it was removed', async () => {
  const grace = await emulator.ready('grace');
  const joined = next(grace, 'conversationJoined');
  const sid = await emulator.conversation(['grace']);
  const conversation = await joined;
  assert.equal(conversation.sid, sid);
  // The SDK opens the rest of a conversation after it told of it, and does not take it well when that is refused.
  await conversation.getParticipants();
  const left = next(grace, 'conversationLeft');
  await emulator.rest('DELETE', `/Conversations/${sid}/Participants/grace`);
  assert.equal((await left).sid, sid);
});

test('messages go both ways, whatever alphabet they are in', async () => {
  const sid = await emulator.conversation(['joan', 'katherine']);
  const [joan, katherine] = await Promise.all([emulator.ready('joan'), emulator.ready('katherine')]);
  const [mine, theirs] = await Promise.all([joan.getConversationBySid(sid), katherine.getConversationBySid(sid)]);
  await Promise.all([mine.getParticipants(), theirs.getParticipants()]);
  const body = 'žluťoučký 世界 🎉\n"quoted" \\ back';
  // A client tells changes only of messages that it has heard of, its own too.
  const [arrived, echoed] = [next(katherine, 'messageAdded'), next(joan, 'messageAdded')];
  const index = await mine.sendMessage(body, { mood: 'fine' });
  const [message] = await Promise.all([arrived, echoed]);
  assert.deepEqual([message.index, message.author, message.body, message.attributes], [index, 'joan', body, { mood: 'fine' }]);
  assert.equal((await emulator.rest('GET', `/Conversations/${sid}/Messages/${message.sid}`)).body, body);

  const changed = next(joan, 'messageUpdated', ({ updateReasons }) => updateReasons.includes('body'));
  await emulator.rest('POST', `/Conversations/${sid}/Messages/${message.sid}`, { Body: 'žádná' });
  assert.equal((await changed).message.body, 'žádná');
  const removed = next(katherine, 'messageRemoved');
  await (await mine.getMessages(1)).items[0].remove();
  assert.equal((await removed).sid, message.sid);
});

test('a text from a telephone reaches a client, and its answer the telephone', async () => {
  const mary = await emulator.ready('mary');
  const { conversation_sid: sid } = await emulator.control('POST', '/messages', { from: PERSON, body: 'hello' });
  const joined = next(mary, 'conversationJoined');
  await emulator.rest('POST', `/Conversations/${sid}/Participants`, { Identity: 'mary' });
  const conversation = await joined;
  await conversation.getParticipants();
  const arrived = next(mary, 'messageAdded');
  await emulator.control('POST', '/messages', { from: PERSON, body: 'anybody there?' });
  assert.deepEqual([(await arrived).author, (await arrived).body], [PERSON, 'anybody there?']);
  await conversation.sendMessage('I am');
  const phone = `/phones/${encodeURIComponent(PERSON)}/messages`;
  await eventually('the answer is on the telephone', async () => {
    const { messages } = await emulator.control('GET', phone);
    return messages.at(-1).body === 'I am' && messages.at(-1).direction === 'received';
  });
});

test('history is read page by page', async () => {
  const sid = await emulator.conversation(['annie']);
  for (let i = 0; i < 23; i += 1) await emulator.rest('POST', `/Conversations/${sid}/Messages`, { Body: `m${i}` });
  const annie = await emulator.ready('annie');
  const conversation = await annie.getConversationBySid(sid);
  const bodies = [];
  let page = await conversation.getMessages(10);
  for (;;) {
    bodies.unshift(...page.items.map((message) => message.body));
    if (!page.hasPrevPage) break;
    page = await page.prevPage();
  }
  assert.deepEqual(bodies, Array.from({ length: 23 }, (_, i) => `m${i}`));
  assert.equal(await conversation.getMessagesCount(), 23);
});

test('typing is seen by the other, and ends with the message', async () => {
  const sid = await emulator.conversation(['hedy', 'radia']);
  const [hedy, radia] = await Promise.all([emulator.ready('hedy'), emulator.ready('radia')]);
  const [mine, theirs] = await Promise.all([hedy.getConversationBySid(sid), radia.getConversationBySid(sid)]);
  await Promise.all([mine.getParticipants(), theirs.getParticipants()]);
  const started = next(radia, 'typingStarted');
  await mine.typing();
  assert.equal((await started).identity, 'hedy');
  const ended = next(radia, 'typingEnded');
  await mine.sendMessage('written');
  assert.equal((await ended).identity, 'hedy');
});

test('what was read is known to the reader and to the others', async () => {
  const sid = await emulator.conversation(['edith', 'barbara']);
  for (const body of ['one', 'two', 'three']) await emulator.rest('POST', `/Conversations/${sid}/Messages`, { Body: body });
  const [edith, barbara] = await Promise.all([emulator.ready('edith'), emulator.ready('barbara')]);
  const [mine, theirs] = await Promise.all([edith.getConversationBySid(sid), barbara.getConversationBySid(sid)]);
  await Promise.all([mine.getParticipants(), theirs.getParticipants()]);
  const seen = next(barbara, 'participantUpdated', ({ updateReasons }) => updateReasons.includes('lastReadMessageIndex'));
  assert.equal(await mine.updateLastReadMessageIndex(0), 2);
  const { participant } = await seen;
  assert.deepEqual([participant.identity, participant.lastReadMessageIndex], ['edith', 0]);
  assert.equal(await mine.setAllMessagesRead(), 0);
  const { participants } = await emulator.rest('GET', `/Conversations/${sid}/Participants`);
  assert.equal(participants.find((one) => one.identity === 'edith').last_read_message_index, 2);
});

test('a name that somebody takes is seen by the others', async () => {
  await emulator.conversation(['lynn', 'margaret']);
  const [lynn, margaret] = await Promise.all([emulator.ready('lynn'), emulator.ready('margaret')]);
  const user = await margaret.getUser('lynn');
  const seen = next(user, 'updated', ({ updateReasons }) => updateReasons.includes('friendlyName'));
  await lynn.user.updateFriendlyName('Lynn Ω');
  assert.equal((await seen).user.friendlyName, 'Lynn Ω');
  assert.equal((await emulator.rest('GET', '/Users/lynn')).friendly_name, 'Lynn Ω');
});

test('a file is sent and fetched', async () => {
  const sid = await emulator.conversation(['sophie']);
  const sophie = await emulator.ready('sophie');
  const conversation = await sophie.getConversationBySid(sid);
  await conversation.getParticipants();
  const arrived = next(sophie, 'messageAdded', (message) => message.type === 'media');
  await conversation.sendMessage({ contentType: 'text/plain', filename: 'příloha.txt', media: Buffer.from('obsah') });
  const [file] = (await arrived).attachedMedia;
  assert.deepEqual([file.filename, file.contentType, file.size], ['příloha.txt', 'text/plain', 5]);
  const answer = await fetch(await file.getContentTemporaryUrl());
  assert.equal(await answer.text(), 'obsah');
});
