// The phone page: who I am, whom I text and call, on which channel, and one thread for it.

import { createCallSheet } from './call-sheet.js';
import { createCalls } from './call.js';
import { Refused, account, follow, send } from './line.js';
import { createReceiving } from './receiving.js';
import { parseNumber, segments, showNumber } from './text.js';
import { createThread } from './thread.js';

const DEFAULT_NUMBER = '+15550001111';
const STARTERS = ['Hello', 'My name is Ada', 'What is my name?'];
const MAX_KEPT_NUMBERS = 8;
const MAX_BODY = 1600;
const ACCOUNT_RETRY_MS = 2000;

const at = (id) => document.getElementById(id);
const body = at('body');

const state = { me: DEFAULT_NUMBER, gateway: null, channel: 'sms', numbers: [], hangUp: () => {}, reconnect: () => {} };
/** Enter was pressed before the gateway's number was known. */
let early = false;
let drafts = 0;

const thread = createThread(
  {
    scroller: at('scroller'), thread: at('thread'), empty: at('empty'), earlier: at('earlier'),
    jump: at('jump'), jumpText: at('jump-text'),
  },
  (item) => {
    thread.remove(item.key);
    transmit(item.body);
  },
);

/** Who this phone is where the emulator asks. */
const address = () => (state.channel === 'whatsapp' ? `whatsapp:${state.me}` : state.me);
const taking = createReceiving({ rule: at('receiving'), read: at('read-all'), error: at('receiving-error') }, address);

// Calls

const LINE = {
  up: 'Call this number',
  down: 'Calls are not possible: the line is down',
  taken: 'Ring here: this number was opened in another tab',
};
let lineState = 'down';
let takeBack = () => {};

const calls = createCalls({
  changed: (call) => {
    if (call.phase !== 'idle') closeRail();
    sheet.draw(call);
  },
  levels: (levels) => sheet.levels(levels),
  line: (name, retry) => {
    lineState = name;
    takeBack = retry;
    drawLine();
  },
});
const sheet = createCallSheet(calls, [at('rail'), ...[...at('handset').children].filter((part) => part !== at('call'))]);

function drawLine() {
  at('dial').dataset.line = lineState;
  at('dial').disabled = lineState === 'down' || !state.gateway;
  at('dial').setAttribute('aria-label', LINE[lineState]);
  at('dial').title = LINE[lineState];
}

at('dial').addEventListener('click', () => (lineState === 'taken' ? takeBack() : calls.dial(state.gateway)));

// Who and where

function restore() {
  const query = new URLSearchParams(location.search);
  const kept = read('numbers', []);
  state.numbers = Array.isArray(kept) ? kept.map(parseNumber).filter(Boolean).slice(0, MAX_KEPT_NUMBERS) : [];
  state.me = parseNumber(query.get('from')) ?? parseNumber(read('me', '')) ?? DEFAULT_NUMBER;
  const channel = query.get('channel') ?? read('channel', 'sms');
  state.channel = channel === 'whatsapp' ? 'whatsapp' : 'sms';
}

function remember() {
  state.numbers = [state.me, ...state.numbers.filter((number) => number !== state.me)]
    .slice(0, MAX_KEPT_NUMBERS).sort();
  write('numbers', state.numbers);
  write('me', state.me);
  write('channel', state.channel);
  const url = new URL(location.href);
  if (url.search) {
    url.search = '';
    history.replaceState(null, '', url);
  }
}

function become(number, channel = state.channel) {
  state.me = number;
  state.channel = channel;
  remember();
  drawIdentity();
  taking.refresh();
  calls.become(number);
  thread.clear();
  state.hangUp();
  state.hangUp = follow(address(), {
    list: thread.replace,
    message: thread.upsert,
    up: () => connected(true),
    down: (retry) => {
      state.reconnect = retry;
      connected(false);
    },
  });
}

function drawIdentity() {
  document.body.dataset.channel = state.channel;
  at('me-number').textContent = showNumber(state.me);
  for (const radio of document.querySelectorAll('input[name=channel]')) radio.checked = radio.value === state.channel;
  body.placeholder = state.channel === 'whatsapp' ? 'WhatsApp message' : 'Text message';
  at('numbers').replaceChildren(...state.numbers.map((number) => {
    const row = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'number-row';
    button.append(Object.assign(document.createElement('bdi'), { className: 'number', textContent: showNumber(number) }));
    if (number === state.me) button.setAttribute('aria-current', 'true');
    button.addEventListener('click', () => {
      become(number);
      closeRail();
      body.focus();
    });
    row.append(button);
    return row;
  }));
  const me = showNumber(state.me);
  document.title = `${me} · Trunkline phone`;
}

// The line

function connected(up) {
  at('banner').hidden = up;
  at('banner-text').textContent = up ? '' : 'The line is down. Reconnecting…';
  document.body.classList.toggle('offline', !up);
}

async function learnGateway() {
  try {
    const { phone_number: number } = await account();
    state.gateway = number;
    at('gateway-number').textContent = showNumber(number);
    at('peer-number').textContent = showNumber(number);
    drawLine();
    sendable();
    if (early) submit();
  } catch {
    setTimeout(learnGateway, ACCOUNT_RETRY_MS);
  }
}

async function transmit(text) {
  const from = state.me;
  const channel = state.channel;
  const key = `draft:${++drafts}`;
  thread.addLocal(key, text);
  try {
    const { message_sid: sid } = await send(from, state.gateway, text, channel);
    thread.accepted(key, sid);
  } catch (error) {
    const reason = error instanceof Refused ? error.message.replace(/\.$/, '') : 'something went wrong on this page';
    thread.refused(key, error.code ? `${reason} (${error.code})` : reason);
  }
}

// Typing

function sendable() {
  const text = body.value;
  at('send').disabled = !state.gateway || text.trim() === '' || text.length > MAX_BODY;
  const size = at('size');
  const { count, left } = segments(text);
  size.classList.toggle('over', text.length > MAX_BODY);
  if (text.length > MAX_BODY) size.textContent = `${text.length - MAX_BODY} too many`;
  else if (state.channel === 'sms' && (count > 1 || left < 40)) size.textContent = `${count} text${count > 1 ? 's' : ''}, ${left} left`;
  else size.textContent = '';
}

function submit() {
  early = !state.gateway;
  if (at('send').disabled) return;
  const text = body.value.trim();
  body.value = '';
  sendable();
  transmit(text);
}

at('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
  body.focus();
});
body.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
body.addEventListener('input', sendable);

at('starters').append(...STARTERS.map((text) => {
  const starter = document.createElement('button');
  starter.type = 'button';
  starter.className = 'starter';
  starter.textContent = text;
  starter.addEventListener('click', () => {
    if (!state.gateway) return;
    transmit(text);
    body.focus();
  });
  return starter;
}));

// Changing number and channel

for (const radio of document.querySelectorAll('input[name=channel]')) {
  radio.addEventListener('change', () => {
    become(state.me, radio.value);
    sendable();
  });
}

at('add').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = at('add-number');
  const number = parseNumber(field.value);
  at('add-error').textContent = number ? '' : 'A number starts with + and its country, like +1 555 000 2222.';
  field.setAttribute('aria-invalid', String(!number));
  if (!number) return;
  field.value = '';
  become(number);
  closeRail();
  body.focus();
});
at('add-number').addEventListener('input', () => {
  at('add-error').textContent = '';
  at('add-number').removeAttribute('aria-invalid');
});

const inHand = matchMedia('(max-width: 819px)');

function openRail() {
  document.body.classList.add('rail-open');
  at('handset').inert = inHand.matches;
  at('me').setAttribute('aria-expanded', 'true');
  at('rail').querySelector('[aria-current]')?.focus();
}

function closeRail() {
  at('handset').inert = false;
  document.body.classList.remove('rail-open');
  at('me').setAttribute('aria-expanded', 'false');
}

at('me').addEventListener('click', () => (document.body.classList.contains('rail-open') ? closeRail() : openRail()));
at('rail-close').addEventListener('click', () => {
  closeRail();
  at('me').focus();
});
document.addEventListener('pointerdown', (event) => {
  if (!inHand.matches || !document.body.classList.contains('rail-open') || at('rail').contains(event.target)) return;
  event.preventDefault();
  closeRail();
});
addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !document.body.classList.contains('rail-open')) return;
  closeRail();
  at('me').focus();
});
at('banner-retry').addEventListener('click', () => state.reconnect());
at('gateway-copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(state.gateway ?? '');
    at('announce').textContent = 'Copied';
  } catch {
    at('announce').textContent = 'This browser does not let the page copy';
  }
});

// What is remembered lasts as long as the tab: every tab can be another person.

function read(key, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(`phone.${key}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(`phone.${key}`, JSON.stringify(value));
  } catch {
    // A browser that stores nothing only forgets the number on reload.
  }
}

restore();
become(state.me);
learnGateway();
sendable();
if (matchMedia('(hover: hover)').matches) body.focus();
