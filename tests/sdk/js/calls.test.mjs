// Calls and recordings with Twilio's SDK for servers. What it creates is changed by its SID: what a creation gives
// cannot change itself in this version.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import twilio from 'twilio';

import { createEmulator, eventually } from './support/emulator.mjs';
import { createVoiceServer, isOver, restClient } from './support/voice.mjs';

const { VoiceResponse } = twilio.twiml;
const ALL_EVENTS = ['initiated', 'ringing', 'answered', 'completed'];
const PERSON = '+15550004711';
let emulator;
let client;
let voice;
let from;

before(async () => {
  emulator = await createEmulator();
  await emulator.start();
  client = restClient(emulator);
  voice = await createVoiceServer(emulator.account().auth_token);
  from = emulator.account().phone_number;
});

after(async () => {
  await voice?.close();
  await emulator?.remove();
});

/** Fetches a call until `wanted` says yes, and returns it. */
async function once(sid, what, wanted) {
  let call;
  await eventually(what, async () => wanted(call = await client.calls(sid).fetch()), 30_000);
  return call;
}

const finished = (sid) => once(sid, 'the call is over', isOver);

function answering(number, rule, more = {}) {
  return emulator.control('PUT', `/phones/${encodeURIComponent(number)}/answering`, { rule, ...more });
}

test('a call is placed, asks for its document, and tells how it goes', async () => {
  const document = new VoiceResponse();
  document.say({ voice: 'Polly.Joanna', language: 'en-US' }, 'Good morning');
  document.pause({ length: 1 });
  const made = await client.calls.create({
    to: PERSON,
    from,
    url: voice.document('/voice', document),
    statusCallback: `${voice.url}/status?order=47%2F11`,
    statusCallbackEvent: ALL_EVENTS,
  });
  assert.match(made.sid, /^CA[0-9a-f]{32}$/);
  assert.deepEqual([made.to, made.from, made.status, made.direction], [PERSON, from, 'queued', 'outbound-api']);
  assert.deepEqual([made.duration, made.price, made.endTime, made.priceUnit], [null, null, null, 'USD']);
  assert.ok(made.dateCreated instanceof Date && Math.abs(Date.now() - made.dateCreated) < 60_000);

  const asked = await voice.next('/voice');
  assert.deepEqual([asked.CallSid, asked.CallStatus, asked.Direction], [made.sid, 'in-progress', 'outbound-api']);
  const told = [];
  for (const _ of ALL_EVENTS) told.push(await voice.next('/status'));
  assert.deepEqual(told.map((one) => one.CallStatus), ['initiated', 'ringing', 'in-progress', 'completed']);
  assert.deepEqual(told.map((one) => one.SequenceNumber), ['0', '1', '2', '3']);

  const done = await finished(made.sid);
  assert.equal(done.status, 'completed');
  assert.equal(done.duration, told[3].CallDuration);
  assert.ok(Number(done.duration) >= 1 && done.endTime >= done.startTime);
  assert.deepEqual(await client.calls(made.sid).notifications.list(), []);
});

test('a live call is redirected, by document and by URL, and ended', async () => {
  const made = await client.calls.create({ to: PERSON, from, url: voice.ticking('/tick') });
  await voice.next('/tick');
  const inline = new VoiceResponse();
  inline.redirect(voice.ticking('/inline'));
  assert.equal((await client.calls(made.sid).update({ twiml: inline })).status, 'in-progress');
  assert.equal((await voice.next('/inline')).CallSid, made.sid);
  await client.calls(made.sid).update({ url: voice.ticking('/elsewhere'), method: 'POST' });
  assert.equal((await voice.next('/elsewhere')).CallSid, made.sid);
  assert.equal((await client.calls(made.sid).update({ status: 'completed' })).status, 'completed');
  assert.equal((await finished(made.sid)).status, 'completed');
  await assert.rejects(client.calls(made.sid).update({ twiml: inline }), { status: 400, code: 21220 });
});

test('a ringing call is canceled, and a busy phone is busy', async () => {
  await answering(PERSON, 'no_answer');
  const ringing = await client.calls.create({ to: PERSON, from, twiml: '<Response/>' });
  await once(ringing.sid, 'it rings', ({ status }) => status === 'ringing');
  assert.equal((await client.calls(ringing.sid).update({ status: 'canceled' })).status, 'canceled');
  await answering(PERSON, 'busy');
  const busy = await client.calls.create({ to: PERSON, from, twiml: '<Response/>' });
  assert.equal((await finished(busy.sid)).status, 'busy');
  await answering(PERSON, 'answer');
});

test('calls are listed page by page and by what they are', async () => {
  const to = '+15550004712';
  await answering(to, 'busy');
  const sids = [];
  for (let count = 0; count < 5; count += 1) {
    const { sid } = await client.calls.create({ to, from, twiml: '<Response/>' });
    await finished(sid);
    sids.unshift(sid);
  }
  const before = client.httpClient.requests;
  assert.deepEqual((await client.calls.list({ to, pageSize: 2 })).map(({ sid }) => sid), sids);
  assert.equal(client.httpClient.requests - before, 3);
  const seen = [];
  await client.calls.each({ to, pageSize: 2, limit: 3, callback: ({ sid }) => seen.push(sid) });
  await eventually('three were seen', () => seen.length === 3);
  assert.deepEqual(seen, sids.slice(0, 3));
  assert.deepEqual(await client.calls.list({ to, status: 'completed' }), []);
  assert.equal((await client.calls.list({ to, status: 'busy', from })).length, 5);
  const later = new Date(Date.now() + 3_600_000);
  assert.deepEqual(await client.calls.list({ to, endTimeAfter: later }), []);

  let page = await client.calls.page({ to, pageSize: 3 });
  assert.deepEqual(page.instances.map(({ sid }) => sid), sids.slice(0, 3));
  page = await page.nextPage();
  assert.deepEqual(page.instances.map(({ sid }) => sid), sids.slice(3));
  assert.equal(await page.nextPage(), undefined);
});

test('a call is recorded, and the recording is listed, heard and deleted', async () => {
  const steps = [{ say: 'Somebody who has a lot to say, one two three four five six seven eight nine ten.' }];
  await answering(PERSON, 'script', { steps: [...steps, { wait_for_hang_up: { timeout_ms: 30_000 } }] });
  const made = await client.calls.create({ to: PERSON, from, url: voice.ticking('/recorded') });
  await voice.next('/recorded');
  const recording = await client.calls(made.sid).recordings.create({
    recordingChannels: 'dual',
    recordingStatusCallback: `${voice.url}/recording`,
  });
  assert.deepEqual([recording.status, recording.channels, recording.callSid], ['in-progress', 2, made.sid]);
  await voice.next('/recorded');
  const changed = client.calls(made.sid).recordings(recording.sid);
  assert.equal((await changed.update({ status: 'paused' })).status, 'paused');
  assert.equal((await changed.update({ status: 'in-progress' })).status, 'in-progress');
  await voice.next('/recorded');
  await changed.update({ status: 'stopped' });
  const told = await voice.next('/recording');
  assert.deepEqual([told.RecordingSid, told.RecordingStatus], [recording.sid, 'completed']);
  assert.equal(told.RecordingChannels, '2');
  await client.calls(made.sid).update({ status: 'completed' });

  assert.deepEqual((await client.calls(made.sid).recordings.list()).map(({ sid }) => sid), [recording.sid]);
  const [listed] = await client.recordings.list({ callSid: made.sid });
  assert.deepEqual([listed.sid, listed.source], [recording.sid, 'StartCallRecordingAPI']);
  assert.equal(listed.duration, told.RecordingDuration);
  const { account_sid: sid, auth_token: token } = emulator.account();
  const answer = await fetch(`${listed.mediaUrl}.wav`, {
    headers: { Authorization: `Basic ${Buffer.from(`${sid}:${token}`).toString('base64')}` },
  });
  assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'audio/x-wav']);
  const file = Buffer.from(await answer.arrayBuffer());
  assert.equal(file.toString('latin1', 0, 4) + file.toString('latin1', 8, 12), 'RIFFWAVE');
  assert.deepEqual([file.readUInt16LE(22), file.readUInt32LE(24), file.readUInt16LE(34)], [2, 8000, 16]);
  const seconds = file.readUInt32LE(40) / (8000 * 4);
  assert.ok(seconds > 1 && seconds <= Number(told.RecordingDuration), `${seconds} s`);

  assert.equal(await client.recordings(recording.sid).remove(), true);
  await assert.rejects(client.recordings(recording.sid).fetch(), { status: 404, code: 20404 });
  assert.equal(await client.calls(made.sid).remove(), true);
  await assert.rejects(client.calls(made.sid).fetch(), { status: 404, code: 20404 });
});

test('errors have Twilio\'s codes', async () => {
  const create = (fields) => client.calls.create({ to: PERSON, from, twiml: '<Response/>', ...fields });
  await assert.rejects(create({ to: 'nobody' }), { status: 400, code: 21211 });
  await assert.rejects(create({ from: '+15550009999' }), { status: 400, code: 21210 });
  await assert.rejects(create({ url: 'not a url' }), { status: 400, code: 21205 });
  const stranger = twilio(emulator.account().account_sid, 'wrong', { httpClient: client.httpClient });
  await assert.rejects(stranger.calls.list(), { status: 401, code: 20003 });
});
