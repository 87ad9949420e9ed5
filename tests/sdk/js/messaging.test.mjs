// Conversations v1 and Messages with Twilio's SDK for servers: every operation, at account and at service level.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import twilio from 'twilio';

import { createEmulator, eventually } from './support/emulator.mjs';
import { createVoiceServer, restClient } from './support/voice.mjs';

const { MessagingResponse } = twilio.twiml;
const NOWHERE = 'http://127.0.0.1:9/';
let emulator;
let client;
let api;
let own;
let numbers = 15550160000;

before(async () => {
  emulator = await createEmulator();
  await emulator.start();
  client = restClient(emulator);
  api = client.conversations.v1;
  own = emulator.account().phone_number;
});

after(() => emulator?.remove());

/** A number that no other test uses. */
const person = () => `+${numbers += 1}`;

/** HTTP status and Twilio's code with which something is refused. */
async function refusal(promise) {
  const error = await promise.then(() => assert.fail('it was not refused'), (problem) => problem);
  assert.ok(error.message && error.moreInfo, error);
  return [error.status, error.code];
}

const sids = (list) => list.map((one) => one.sid);

/** The iterator that pages by itself, two at a time. */
const walk = (list, options = {}) => new Promise((resolve, reject) => {
  const seen = [];
  list.each({ pageSize: 2, ...options, callback: (one) => { seen.push(one); }, done: (error) => (error ? reject(error) : resolve(seen)) });
});

for (const level of ['account', 'service']) {
  test(`conversations at the level of the ${level}`, async (t) => {
    const made = level === 'service' ? await api.services.create({ friendlyName: 'Another desk' }) : null;
    const scope = made ? api.services(made.sid) : api;

    await t.test('a conversation from beginning to end', async () => {
      const one = await scope.conversations.create({ friendlyName: 'Desk', uniqueName: `desk-${level}`, 'timers.inactive': 'PT5M' });
      assert.ok(one.timers.date_inactive);
      assert.equal((await scope.conversations(`desk-${level}`).fetch()).sid, one.sid);
      assert.equal((await scope.conversations(one.sid).update({ state: 'inactive' })).state, 'inactive');
      assert.deepEqual(sids(await scope.conversations.list({ state: 'inactive' })), [one.sid]);
      assert.deepEqual(await refusal(scope.conversations.create({ uniqueName: `desk-${level}` })), [409, 50353]);
      assert.equal(await scope.conversations(one.sid).remove(), true);
      assert.deepEqual(await refusal(scope.conversations(one.sid).fetch()), [404, 20404]);
    });

    await t.test('messages are walked through, changed and removed', async () => {
      const conversation = scope.conversations((await scope.conversations.create()).sid);
      const written = [];
      for (let at = 0; at < 5; at += 1) written.push((await conversation.messages.create({ body: `message ${at}`, author: 'ada' })).sid);
      assert.deepEqual(sids(await walk(conversation.messages)), written);
      assert.deepEqual(sids(await walk(conversation.messages, { order: 'desc' })), [...written].reverse());
      const page = await conversation.messages.page({ pageSize: 2 });
      const next = await page.nextPage();
      assert.deepEqual(sids(next.instances), written.slice(2, 4));
      assert.deepEqual(sids((await next.previousPage()).instances), written.slice(0, 2));
      const changed = await conversation.messages(written[0]).update({ body: 'changed', attributes: '{"a":1}' });
      assert.deepEqual([changed.body, changed.attributes], ['changed', '{"a":1}']);
      assert.equal((await conversation.messages(written[0]).fetch()).index, 0);
      assert.equal(await conversation.messages(written[0]).remove(), true);
      assert.equal((await conversation.messages.list()).length, 4);
    });

    await t.test('participants, receipts and where they take part', async () => {
      const sid = (await scope.conversations.create()).sid;
      const conversation = scope.conversations(sid);
      const phone = person();
      const binding = { 'messagingBinding.address': phone, 'messagingBinding.proxyAddress': own };
      await conversation.participants.create(binding);
      const ada = await conversation.participants.create({ identity: `ada-${level}` });
      assert.deepEqual(await refusal(conversation.participants.create(binding)), [409, 50416]);
      assert.equal((await conversation.participants(ada.sid).update({ attributes: '{"seat":1}' })).attributes, '{"seat":1}');
      assert.equal((await conversation.participants(`ada-${level}`).fetch()).sid, ada.sid);
      assert.equal((await walk(conversation.participants)).length, 2);
      const sent = await conversation.messages.create({ body: 'hello' });
      const [receipt] = await conversation.messages(sent.sid).deliveryReceipts.list();
      assert.equal((await conversation.messages(sent.sid).deliveryReceipts(receipt.sid).fetch()).errorCode, 0);
      assert.equal((await scope.participantConversations.list({ address: phone }))[0].conversationSid, sid);
      assert.equal((await scope.participantConversations.list({ identity: `ada-${level}` })).length, 1);
      assert.equal(await conversation.participants(ada.sid).remove(), true);
    });

    await t.test('a conversation with its participants in one request', async () => {
      const one = await scope.conversationWithParticipants.create({
        friendlyName: 'All at once',
        participant: [JSON.stringify({ identity: 'grace' }), JSON.stringify({ identity: 'joan' })],
      });
      const members = await scope.conversations(one.sid).participants.list();
      assert.deepEqual(members.map(({ identity }) => identity), ['grace', 'joan']);
    });

    await t.test('webhooks of a conversation', async () => {
      const { webhooks } = scope.conversations((await scope.conversations.create()).sid);
      const hook = await webhooks.create({
        target: 'webhook', 'configuration.url': NOWHERE, 'configuration.filters': ['onMessageAdded'],
      });
      const list = scope.conversations(hook.conversationSid).webhooks;
      assert.deepEqual(sids(await list.list()), [hook.sid]);
      const one = scope.conversations(hook.conversationSid).webhooks(hook.sid);
      assert.equal((await one.update({ 'configuration.method': 'get' })).configuration.method, 'get');
      assert.equal((await one.fetch()).target, 'webhook');
      assert.equal(await one.remove(), true);
    });

    await t.test('users and their conversations', async () => {
      const user = await scope.users.create({ identity: `katherine-${level}`, friendlyName: 'Katherine' });
      assert.equal((await scope.users(user.sid).update({ friendlyName: 'K. J.' })).friendlyName, 'K. J.');
      assert.ok(sids(await walk(scope.users)).includes(user.sid));
      const conversation = await scope.conversations.create();
      await scope.conversations(conversation.sid).participants.create({ identity: user.identity });
      const mine = scope.users(user.sid).userConversations;
      assert.equal((await mine.list())[0].conversationSid, conversation.sid);
      const one = scope.users(user.sid).userConversations(conversation.sid);
      assert.equal((await one.update({ notificationLevel: 'muted' })).notificationLevel, 'muted');
      assert.equal((await one.fetch()).conversationState, 'active');
      assert.equal(await one.remove(), true);
      assert.equal((await scope.users(user.identity).fetch()).sid, user.sid);
      assert.equal(await scope.users(user.sid).remove(), true);
    });

    await t.test('roles', async () => {
      const role = await scope.roles.create({ friendlyName: 'reader', type: 'conversation', permission: ['leaveConversation'] });
      assert.deepEqual((await scope.roles(role.sid).update({ permission: ['sendMessage'] })).permissions, ['sendMessage']);
      assert.equal((await scope.roles(role.sid).fetch()).type, 'conversation');
      assert.equal((await walk(scope.roles)).length, 5);
      assert.equal(await scope.roles(role.sid).remove(), true);
      assert.deepEqual(await refusal(scope.roles(role.sid).fetch()), [404, 50100]);
    });

    if (!made) return;
    await t.test('configuration and push notifications of a service', async () => {
      const changed = await scope.configuration().update({ reachabilityEnabled: true });
      assert.equal(changed.reachabilityEnabled, true);
      assert.equal((await scope.configuration().fetch()).chatServiceSid, made.sid);
      const notified = await scope.configuration.notifications().update({ logEnabled: true, 'newMessage.template': 'x' });
      assert.deepEqual([notified.logEnabled, notified.newMessage.template], [true, 'x']);
      assert.equal((await scope.configuration.notifications().fetch()).logEnabled, true);
      assert.deepEqual((await scope.configuration.webhooks().update({ filters: ['onMessageAdded'] })).filters, ['onMessageAdded']);
      assert.equal((await scope.configuration.webhooks().fetch()).chatServiceSid, made.sid);
      assert.deepEqual(await scope.bindings.list(), []);
      assert.ok(sids(await walk(api.services)).includes(made.sid));
      assert.equal((await api.services(made.sid).fetch()).friendlyName, 'Another desk');
      assert.equal(await api.services(made.sid).remove(), true);
    });
  });
}

test('configuration, addresses and credentials of the account', async () => {
  const changed = await api.configuration().update({ defaultInactiveTimer: 'PT10M' });
  assert.equal(changed.defaultInactiveTimer, 'PT10M');
  await api.configuration().update({ defaultInactiveTimer: '' });
  assert.equal((await api.configuration().fetch()).accountSid, emulator.account().account_sid);
  assert.equal((await api.configuration.webhooks().update({ method: 'POST', target: 'webhook' })).target, 'webhook');
  assert.equal((await api.configuration.webhooks().fetch()).method, 'POST');
  const phone = person();
  const address = await api.addressConfigurations.create({ type: 'sms', address: phone });
  assert.equal((await api.addressConfigurations(phone).fetch()).sid, address.sid);
  assert.equal((await api.addressConfigurations(address.sid).update({ friendlyName: 'Desk' })).friendlyName, 'Desk');
  assert.ok(sids(await walk(api.addressConfigurations)).includes(address.sid));
  assert.equal(await api.addressConfigurations(address.sid).remove(), true);
  const credential = await api.credentials.create({ type: 'gcm', apiKey: 'not a secret' });
  assert.equal((await api.credentials(credential.sid).update({ friendlyName: 'Phones' })).friendlyName, 'Phones');
  assert.equal((await api.credentials(credential.sid).fetch()).type, 'gcm');
  assert.deepEqual(sids(await api.credentials.list()), [credential.sid]);
  const { sid } = await emulator.control('POST', '/bindings', { credential_sid: credential.sid, identity: 'ada', endpoint: 'ada:1' });
  const { bindings } = api.services(emulator.account().chat_service_sid);
  assert.deepEqual(sids(await bindings.list({ bindingType: ['gcm'] })), [sid]);
  assert.equal((await bindings(sid).fetch()).endpoint, 'ada:1');
  assert.equal(await bindings(sid).remove(), true);
  assert.equal(await api.credentials(credential.sid).remove(), true);
});

/** Fetches a message until it has a status. */
async function settled(sid, status) {
  let message;
  await eventually(`the message is ${status}`, async () => (message = await client.messages(sid).fetch()).status === status);
  return message;
}

test('a message goes out, is listed, redacted and deleted', async () => {
  const to = person();
  const sent = [];
  for (const body of ['one', 'two', 'three']) sent.push((await client.messages.create({ to, from: own, body })).sid);
  for (const sid of sent) assert.equal((await settled(sid, 'delivered')).errorCode, null);
  assert.deepEqual(sids(await walk(client.messages, { to })), [...sent].reverse());
  assert.equal((await client.messages.list({ to, dateSentAfter: new Date('2020-01-01') })).length, 3);
  assert.equal((await client.messages.list({ to, dateSentBefore: new Date('2020-01-01') })).length, 0);
  assert.equal((await client.messages(sent[0]).update({ body: '' })).body, '');
  assert.equal((await client.messages(sent[0]).feedback.create({ outcome: 'confirmed' })).outcome, 'confirmed');
  assert.equal(await client.messages(sent[0]).remove(), true);
});

test('a scheduled message is taken back, another goes out in its time', async () => {
  const to = person();
  const { messaging_service_sid: messagingServiceSid } = await emulator.control('GET', '/account');
  const when = { to, messagingServiceSid, scheduleType: 'fixed', sendAt: new Date(Date.now() + 3_600_000) };
  const back = await client.messages.create({ ...when, body: 'back' });
  assert.equal((await client.messages(back.sid).update({ status: 'canceled' })).status, 'canceled');
  const out = await client.messages.create({ ...when, body: 'out' });
  await emulator.control('POST', '/clock', { advance_ms: 3_700_000 });
  await settled(out.sid, 'delivered');
  await emulator.control('POST', '/clock', { set: null });
});

test('a document answers a message, and its files are there', async () => {
  const voice = await createVoiceServer(emulator.account().auth_token);
  try {
    const document = new MessagingResponse();
    document.message('welcome');
    const smsUrl = voice.document('/sms', document);
    const desk = await client.incomingPhoneNumbers.create({ phoneNumber: person(), smsUrl });
    const from = person();
    const texted = await emulator.control('POST', '/messages', {
      from, to: desk.phoneNumber, body: 'look',
      media: [{ content_type: 'text/plain', filename: 'a.txt', data: Buffer.from('hello').toString('base64') }],
    });
    const media = await client.messages(texted.message_sid).media.list();
    assert.equal(media[0].contentType, 'text/plain');
    assert.equal((await client.messages(texted.message_sid).media(media[0].sid).fetch()).parentSid, texted.message_sid);
    await eventually('the answer is there', async () => (await client.messages.list({ to: from })).length === 1);
    const [answer] = await client.messages.list({ to: from });
    assert.deepEqual([answer.body, answer.direction], ['welcome', 'outbound-reply']);
    assert.equal(await client.messages(texted.message_sid).media(media[0].sid).remove(), true);
    assert.equal(await client.incomingPhoneNumbers(desk.sid).remove(), true);
  } finally {
    await voice.close();
  }
});

test('refusals have Twilio’s codes', async () => {
  const to = person();
  const { messages, participants, webhooks } = api.conversations((await api.conversations.create()).sid);
  const send = (more) => client.messages.create({ to, from: own, ...more });
  const pair = (address, proxy) => participants.create({ 'messagingBinding.address': address, 'messagingBinding.proxyAddress': proxy });
  const cases = [
    [api.conversations.create({ attributes: '{' }), 400, 50304],
    [api.conversations.create({ uniqueName: `CH${'1'.repeat(32)}` }), 400, 50390],
    [api.conversations.create({ friendlyName: 'x'.repeat(257) }), 400, 50301],
    [api.conversations.create({ uniqueName: 'x'.repeat(257) }), 400, 50302],
    [api.conversations.create({ state: 'closed' }), 400, 50384],
    [api.conversations.create({ 'timers.inactive': 'PT1S' }), 400, 50375],
    [api.conversations.create({ 'timers.closed': 'PT1S' }), 400, 50376],
    [api.conversations.create({ 'timers.closed': 'soon' }), 400, 50379],
    [messages.create({ body: '' }), 400, 20001],
    [messages.create({ body: 'x'.repeat(40_000) }), 400, 50504],
    [messages.create({ mediaSid: `ME${'0'.repeat(32)}` }), 400, 50512],
    [messages.create({ contentSid: `HX${'0'.repeat(32)}` }), 400, 50526],
    [participants.create({}), 400, 50410],
    [pair('nobody', own), 400, 50407],
    [pair(to, 'nobody'), 400, 50408],
    [pair(to, '+15559990000'), 400, 50413],
    [pair(`whatsapp:${to}`, own), 400, 50412],
    [pair(`whatsapp:${to}`, 'whatsapp:+15559990000'), 400, 50415],
    [webhooks.create({ target: 'webhook', 'configuration.url': NOWHERE }), 400, 50370],
    [webhooks.create({ target: 'webhook', 'configuration.filters': ['onMessageAdded'] }), 400, 50369],
    [webhooks.create({ target: 'studio' }), 400, 50367],
    [api.conversations.list({ pageSize: 101 }), 400, 20007],
    [send({}), 400, 21602],
    [send({ body: 'x'.repeat(1601) }), 400, 21617],
    [send({ body: 'x', mediaUrl: ['nowhere'] }), 400, 21620],
    [send({ body: 'x', from: '+15559990000' }), 400, 21606],
    [send({ body: 'x', to: 'nobody' }), 400, 21211],
    [send({ body: 'x', to: own }), 400, 21266],
    [send({ body: 'x', statusCallback: 'nowhere' }), 400, 21609],
    [send({ body: 'x', scheduleType: 'fixed' }), 400, 35114],
  ];
  const got = await Promise.all(cases.map(([promise]) => refusal(promise)));
  assert.deepEqual(got, cases.map(([, status, code]) => [status, code]));
  assert.ok(new Set(cases.map(([, , code]) => code)).size >= 25);
});

test('no operation of Twilio’s descriptions was left out', async () => {
  const missing = [];
  for (const name of ['twilio_conversations_v1', 'twilio_messages_v2010']) {
    const file = new URL(`../../../crates/trunkline-emulator/tests/data/${name}.json`, import.meta.url);
    const { paths } = JSON.parse(await readFile(file, 'utf8'));
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) {
        const pattern = new RegExp(`^${method} ${path.replace('.', '[.]').replaceAll(/{\w+}/g, '[^/]+')}$`);
        if (![...client.httpClient.carriedOut].some((one) => pattern.test(one))) missing.push(`${method} ${path}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});
