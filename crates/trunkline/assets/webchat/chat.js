// The visitor's chat: what was said, what is on its way, and who is typing.

import { createLine } from './line.js';
import { keepToken, keepUnsent, onToken, readToken, readUnsent } from './memory.js';

const MAX_TEXT_BYTES = 4096;
const NEAR_END_PX = 80;
/** While the visitor types, that is said this often; it ends when they pause for longer. */
const TYPING_EVERY_MS = 3000;
const TYPING_PAUSE_MS = 5000;
/** A message that could not be made safe is sent again by itself so often, and so much later. */
const MAX_RESENT = 5;
const RESEND_MS = 2000;
const LINE_DOWN_AFTER_MS = 1000;

const at = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

let token = readToken();
let isBegun = token !== null;
const lines = new Map();
const unsent = readUnsent().map((message) => ({ ...message, refusal: null, resent: 0 }));
const nodes = new Map();

const line = createLine(
  () => ({ token: isBegun ? token : undefined, after: lines.size > 0 ? Math.max(...lines.keys()) : undefined }),
  { frame: take, up, down },
);

// Frames

function take(frame) {
  switch (frame.type) {
    case 'welcome': return welcome(frame);
    case 'accepted': return accepted(frame);
    case 'refused': return refused(frame);
    case 'message': return say([frame]);
    case 'typing': return showTyping(frame.on === true);
    default: return undefined;
  }
}

function welcome(frame) {
  token = frame.token;
  // Nothing is lost where nothing was: a first message that never arrived begins the new conversation.
  const isLost = Boolean(frame.notice) && (lines.size > 0 || unsent.length === 0);
  if (!frame.resumed || (frame.earlier && lines.size > 0)) lines.clear();
  isBegun = frame.resumed || unsent.length > 0;
  if (isBegun) keepToken(token);
  at('earlier').hidden = !frame.earlier;
  showNotice(isLost ? 'Your earlier conversation is not here any more. This is a new one.' : '');
  showTyping(false);
  at('log').setAttribute('aria-live', lines.size === 0 ? 'off' : 'polite');
  say(frame.messages);
  at('log').setAttribute('aria-live', 'polite');
  for (const message of unsent) if (!message.refusal || message.refusal.retry) send(message);
}

function say(messages) {
  for (const message of messages) {
    lines.set(message.index, message);
    if (message.id) forget(message.id);
    if (message.from === 'agent') showTyping(false);
  }
  draw();
}

function accepted({ id, index }) {
  const message = unsent.find((one) => one.id === id);
  if (!message) return;
  if (!lines.has(index)) lines.set(index, { index, from: 'visitor', id, text: message.text, time: new Date().toISOString() });
  forget(id);
  draw();
}

function refused({ id, code, message: reason, retry }) {
  const message = unsent.find((one) => one.id === id);
  if (!message) return;
  message.refusal = { reason, retry };
  if (code === 'webchat.unavailable' && message.resent < MAX_RESENT) {
    message.resent += 1;
    setTimeout(() => send(message), RESEND_MS);
  }
  draw();
}

function forget(id) {
  const place = unsent.findIndex((one) => one.id === id);
  if (place < 0) return;
  unsent.splice(place, 1);
  keepUnsent(unsent);
}

function send(message) {
  if (!unsent.includes(message)) return;
  message.refusal = null;
  line.send({ type: 'message', id: message.id, text: message.text });
  draw();
}

// The line

let lineTimer = 0;

function up() {
  clearTimeout(lineTimer);
  lineTimer = 0;
  at('line').textContent = '';
}

function down() {
  showTyping(false);
  lineTimer ||= setTimeout(() => { at('line').textContent = 'Reconnecting…'; }, LINE_DOWN_AFTER_MS);
}

// A conversation that another tab has begun is this one, too, unless this tab has one already.
onToken((other) => {
  if (isBegun || unsent.length > 0) return;
  token = other;
  isBegun = true;
  line.again();
});

// What is shown

function draw() {
  const scroller = at('scroller');
  const isNearEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX;
  const said = [...lines.values()].sort((one, other) => one.index - other.index);
  const wanted = [
    ...said.map((message) => node(message.id ?? `#${message.index}`, message, null)),
    ...unsent.map((message) => node(message.id, { from: 'visitor', text: message.text }, message)),
  ];
  const log = at('log');
  const staying = new Set(wanted);
  for (const child of [...log.children]) if (!staying.has(child)) child.remove();
  wanted.forEach((child, place) => {
    if (log.children[place] !== child) log.insertBefore(child, log.children[place] ?? null);
  });
  for (const [key, kept] of nodes) if (!staying.has(kept)) nodes.delete(key);
  at('empty').hidden = wanted.length > 0;
  if (isNearEnd) scroller.scrollTop = scroller.scrollHeight;
}

/** The element of a message; `waiting` is its entry among the unsent, if it is there. Text is text, never markup. */
function node(key, message, waiting) {
  let element = nodes.get(key);
  if (!element) {
    element = make('div', '');
    element.append(
      make('span', 'hidden', message.from === 'agent' ? 'Answer: ' : 'You: '),
      make('p', 'body', message.text),
      make('p', 'meta'),
    );
    nodes.set(key, element);
  }
  const side = message.from === 'agent' ? 'theirs' : 'mine';
  const state = waiting ? (waiting.refusal ? 'failed' : 'sending') : 'said';
  const face = `${side} ${state} ${waiting?.refusal?.reason ?? message.time}`;
  if (element.dataset.face === face) return element;
  element.dataset.face = face;
  element.className = `message ${side} ${state}`;
  element.lastElementChild.replaceChildren(...meta(message, waiting));
  return element;
}

function meta(message, waiting) {
  if (!waiting) {
    const time = make('time', '', clock.format(new Date(message.time)));
    time.dateTime = message.time;
    return [time];
  }
  if (!waiting.refusal) return [make('span', '', 'Sending…')];
  const reason = make('span', '', `Not sent: ${waiting.refusal.reason}`);
  reason.setAttribute('role', 'alert');
  if (!waiting.refusal.retry) return [reason];
  const again = make('button', 'again', 'Try again');
  again.type = 'button';
  again.addEventListener('click', () => {
    send(waiting);
    at('body').focus();
  });
  return [reason, again];
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function showTyping(isTyping) {
  const scroller = at('scroller');
  const isNearEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX;
  at('typing').hidden = !isTyping;
  if (isTyping && isNearEnd) scroller.scrollTop = scroller.scrollHeight;
}

function showNotice(text) {
  at('notice').hidden = !text;
  at('notice').textContent = text;
}

// What the visitor does

const typing = { told: 0, pause: 0 };

function stopTyping() {
  clearTimeout(typing.pause);
  if (typing.told > 0) line.send({ type: 'typing', on: false });
  typing.told = 0;
}

at('body').addEventListener('input', () => {
  at('problem').textContent = '';
  if (at('body').value === '') return stopTyping();
  clearTimeout(typing.pause);
  typing.pause = setTimeout(stopTyping, TYPING_PAUSE_MS);
  if (Date.now() - typing.told < TYPING_EVERY_MS) return undefined;
  if (line.send({ type: 'typing', on: true })) typing.told = Date.now();
  return undefined;
});

at('body').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at('composer').requestSubmit();
});

at('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = at('body').value.trim();
  at('body').focus();
  if (text === '') return;
  if (new TextEncoder().encode(text).length > MAX_TEXT_BYTES) {
    at('problem').textContent = 'This message is too long. Please split it.';
    return;
  }
  stopTyping();
  at('body').value = '';
  const random = crypto.getRandomValues(new Uint8Array(16));
  const id = [...random].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const message = { id, text, refusal: null, resent: 0 };
  unsent.push(message);
  keepUnsent(unsent);
  // From here on there is a conversation to come back to, whether its first message arrives now or after a reload.
  isBegun = true;
  if (token) keepToken(token);
  send(message);
  at('scroller').scrollTop = at('scroller').scrollHeight;
});

// In a frame, the page around it closes the chat.

function close() {
  window.parent.postMessage('trunkline-chat:close', '*');
}

if (window.parent !== window) {
  at('close').hidden = false;
  at('close').addEventListener('click', close);
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
  });
  addEventListener('focus', () => {
    if (document.activeElement === document.body) at('body').focus();
  });
} else {
  at('body').focus();
}

draw();
