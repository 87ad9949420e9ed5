// The thread: messages in order, drawn as bubbles. Bodies are a stranger's words and only ever become text nodes.

import { isPictures, showBytes, showDay, showTime } from './text.js';

const WINDOW = 200;
const GROUP_GAP_MS = 2 * 60_000;
const FOLD_AT = 1600;
const NEAR_END_PX = 80;
const FAILED = new Set(['failed', 'undelivered']);

/**
 * An item's `key` is what the wire calls it and may change once, when a local draft becomes a message; its `id` names
 * its bubble and never changes, so that a bubble is drawn, and announced, once.
 *
 * `parts` are the page's elements; `onRetry(item)` is called for an item that could not be sent.
 */
export function createThread(parts, onRetry) {
  let items = [];
  let shown = WINDOW;
  let nodes = new Map();
  let unseen = 0;
  let loaded = false;

  const keyOf = (message) => `${message.direction}:${message.message_sid}`;
  const nearEnd = () => parts.scroller.scrollHeight - parts.scroller.scrollTop - parts.scroller.clientHeight < NEAR_END_PX;
  const toEnd = () => { parts.scroller.scrollTop = parts.scroller.scrollHeight; };

  function fromWire(message) {
    const key = keyOf(message);
    return {
      id: key,
      key,
      sent: message.direction === 'sent',
      body: String(message.body ?? ''),
      media: Array.isArray(message.media) ? message.media : [],
      status: String(message.status ?? ''),
      at: dateOf(message.at),
    };
  }

  /** Replaces everything but what is still on its way out. */
  function replace(messages) {
    const list = messages.filter(arrives).map(fromWire);
    const known = new Map(items.map((item) => [item.key, item.id]));
    const news = list.filter((item) => !known.has(item.key));
    for (const item of list) item.id = known.get(item.key) ?? item.id;
    const arrived = loaded ? news.filter((item) => !item.sent).length : 0;
    // A text that was sent while the line broke may be in the list already, under its SID.
    const mine = news.filter((item) => item.sent);
    const local = items.filter((item) => item.local && !adopt(item, mine));
    items = [...list, ...local];
    // The first drawing is not news: the log is silent for it.
    parts.thread.setAttribute('aria-live', loaded ? 'polite' : 'off');
    const first = !loaded;
    loaded = true;
    draw(arrived, first);
  }

  function upsert(message) {
    if (!arrives(message)) return;
    parts.thread.setAttribute('aria-live', 'polite');
    const item = fromWire(message);
    const at = items.findIndex((other) => other.key === item.key);
    if (at >= 0) {
      items[at] = { ...item, id: items[at].id };
      return draw(0);
    }
    const waiting = item.sent ? items.findIndex((other) => other.local && !other.error && other.body === item.body) : -1;
    if (waiting >= 0) items[waiting] = { ...item, id: items[waiting].id };
    else items.push(item);
    return draw(item.sent ? 0 : 1);
  }

  function addLocal(key, body) {
    items.push({ id: key, key, local: true, sent: true, body, media: [], status: 'sending', at: new Date(), since: Date.now() });
    draw(0, true);
  }

  /** The emulator took it: the local bubble becomes the real one, unless its event has already done that. */
  function accepted(key, sid) {
    const at = items.findIndex((item) => item.key === key);
    if (at < 0) return;
    const real = `sent:${sid}`;
    if (items.some((item) => item.key === real)) items.splice(at, 1);
    else items[at] = { ...items[at], key: real, local: false, status: 'sent' };
    draw(0);
  }

  function refused(key, error) {
    const item = items.find((other) => other.key === key);
    if (!item) return;
    Object.assign(item, { status: 'failed', error });
    draw(0, true);
  }

  function remove(key) {
    items = items.filter((item) => item.key !== key);
    draw(0);
  }

  function clear() {
    items = [];
    nodes = new Map();
    shown = WINDOW;
    unseen = 0;
    loaded = false;
    parts.thread.replaceChildren();
    parts.empty.hidden = true;
    draw(0);
  }

  function draw(arrived, force = false) {
    const follow = force || nearEnd();
    const visible = items.slice(-shown);
    const wanted = [];
    const kept = new Map();
    let before = null;
    visible.forEach((item, index) => {
      if (!before || item.at.toDateString() !== before.at.toDateString()) {
        wanted.push(keep(kept, `day:${item.at.toDateString()}:${item.id}`, () => dayNode(item.at)));
        before = null;
      }
      const after = visible[index + 1];
      const node = keep(kept, item.id, () => bubbleNode(item));
      dress(node, item, !joined(before, item), !joined(item, after));
      wanted.push(node);
      before = item;
    });
    nodes = kept;
    place(parts.thread, wanted);
    const hidden = items.length - visible.length;
    parts.earlier.hidden = hidden <= 0;
    parts.earlier.textContent = hidden > 0 ? `Show ${Math.min(hidden, WINDOW)} earlier messages` : '';
    parts.empty.hidden = !loaded || items.length > 0;
    if (follow) {
      toEnd();
      unseen = 0;
    } else {
      unseen += arrived;
    }
    jump();
  }

  function keep(kept, key, create) {
    const node = nodes.get(key) ?? create();
    kept.set(key, node);
    return node;
  }

  function jump() {
    if (nearEnd()) unseen = 0;
    parts.jump.hidden = nearEnd();
    parts.jumpText.textContent = unseen === 0 ? 'Latest' : unseen === 1 ? '1 new message' : `${unseen} new messages`;
    parts.jump.classList.toggle('has-news', unseen > 0);
  }

  function bubbleNode(item) {
    const node = make('div', `message ${item.sent ? 'mine' : 'theirs'}`);
    node.append(make('span', 'hidden', item.sent ? 'You: ' : 'Agent: '));
    const bubble = make('div', 'bubble');
    if (isPictures(item.body) && item.media.length === 0) bubble.classList.add('pictures');
    if (item.body) bubble.append(bodyNode(item.body));
    for (const file of item.media) bubble.append(fileNode(file));
    if (!item.body && item.media.length === 0) bubble.append(make('p', 'body blank', 'No text'));
    node.append(bubble, make('p', 'meta'));
    return node;
  }

  /** What may change after a bubble was drawn: its place in a group and its status. */
  function dress(node, item, first, last) {
    node.classList.toggle('first', first);
    node.classList.toggle('last', last);
    node.classList.toggle('pending', item.status === 'sending');
    const failed = FAILED.has(item.status);
    node.classList.toggle('failed', failed);
    const meta = node.lastElementChild;
    const status = item.status ? item.status[0].toUpperCase() + item.status.slice(1) : '';
    const face = [showTime(item.at), status, item.error ?? ''].join('|');
    if (meta.dataset.face === face) return;
    meta.dataset.face = face;
    const time = make('time', '', showTime(item.at));
    time.dateTime = item.at.toISOString();
    time.title = item.at.toLocaleString();
    if (item.error) {
      const retry = make('button', 'link', 'Try again');
      retry.type = 'button';
      retry.addEventListener('click', () => onRetry(item));
      const reason = make('span', 'reason', `Not sent: ${item.error}`);
      reason.setAttribute('role', 'alert');
      meta.replaceChildren(reason, ' ', retry);
    } else {
      meta.replaceChildren(time, ...(status ? [make('span', 'status', status)] : []));
    }
  }

  parts.scroller.addEventListener('scroll', jump, { passive: true });
  parts.jump.addEventListener('click', () => {
    toEnd();
    unseen = 0;
    jump();
  });
  parts.earlier.addEventListener('click', () => {
    parts.thread.setAttribute('aria-live', 'off');
    const height = parts.scroller.scrollHeight;
    const top = parts.scroller.scrollTop;
    shown += WINDOW;
    draw(0);
    parts.scroller.scrollTop = top + parts.scroller.scrollHeight - height;
  });
  new ResizeObserver(() => {
    if (parts.scroller.dataset.end === 'yes') toEnd();
  }).observe(parts.scroller);
  parts.scroller.addEventListener('scroll', () => {
    parts.scroller.dataset.end = nearEnd() ? 'yes' : 'no';
  }, { passive: true });

  return { replace, upsert, addLocal, accepted, refused, remove, clear };
}

/** What failed before it was sent never gets to a phone. */
const arrives = (message) => message.direction === 'sent' || message.status !== 'failed';

/** True, and the match is used up, when `list` holds the text that `item` is the local draft of. */
function adopt(item, list) {
  const at = list.findIndex((other) => !item.error && other.body === item.body && other.at.getTime() > item.since - 5000);
  if (at < 0) return false;
  list[at].id = item.id;
  list.splice(at, 1);
  return true;
}

/** Two messages of one side, close in time, share one line of small print. */
function joined(one, other) {
  return Boolean(one && other) && one.sent === other.sent && !one.error && !other.error
    && one.status === other.status && Math.abs(other.at - one.at) < GROUP_GAP_MS
    && one.at.toDateString() === other.at.toDateString();
}

/** Makes `wanted` the children of `parent`, touching only what moved: a screen reader is told of additions only. */
function place(parent, wanted) {
  const staying = new Set(wanted);
  for (const child of [...parent.children]) if (!staying.has(child)) child.remove();
  wanted.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
}

function bodyNode(body) {
  const text = make('p', 'body');
  text.dir = 'auto';
  if (body.length <= FOLD_AT) {
    text.textContent = body;
    return text;
  }
  const fold = document.createDocumentFragment();
  const more = make('button', 'link more', 'Show all');
  more.type = 'button';
  more.setAttribute('aria-expanded', 'false');
  const set = (open) => {
    text.textContent = open ? body : `${[...body.slice(0, FOLD_AT)].slice(0, -1).join('')}…`;
    more.textContent = open ? 'Show less' : `Show all ${body.length.toLocaleString()} characters`;
    more.setAttribute('aria-expanded', String(open));
  };
  more.addEventListener('click', () => set(more.getAttribute('aria-expanded') === 'false'));
  set(false);
  fold.append(text, more);
  return fold;
}

function fileNode(file) {
  const chip = make('p', 'file');
  const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  icon.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', '#i-file');
  icon.append(use);
  const name = make('bdi', 'file-name', String(file?.filename || file?.content_type || 'Attachment'));
  const detail = [file?.filename ? file.content_type : '', showBytes(file?.size)].filter(Boolean).join(', ');
  chip.append(icon, name, make('span', 'file-detail', detail));
  return chip;
}

function dayNode(date) {
  const node = make('div', 'day');
  node.append(make('span', '', showDay(date)));
  return node;
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

function dateOf(value) {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? new Date() : date;
}
