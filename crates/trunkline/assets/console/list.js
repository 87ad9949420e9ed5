// The list of conversations: newest first, live, one row each.

import { at, icon, make, place, setText } from './dom.js';
import { dateOf, showAddress, showAge, showChannel, showConnector, showNumber, stateBadge } from './text.js';

const PAGE = 50;
/** After an outage the list is read again as far as it was open, up to here. */
const REREAD_LIMIT = 500;
const PREVIEW_LENGTH = 160;
const ICONS = new Set(['sms', 'whatsapp']);
/** A person who types and goes away without a word is not waited for longer than this. */
const TYPING_MS = 10_000;

/** `fetchPage(limit, before)` reads one page; `onError` is told of a page that could not be read. */
export function createList(fetchPage, onError) {
  const rows = new Map();
  const byId = new Map();
  const typists = new Map();
  let next = null;
  let total = null;
  let selected = null;
  let loading = false;
  let pages = 0;

  async function reread() {
    const wanted = Math.min(REREAD_LIMIT, Math.max(PAGE, byId.size));
    const fresh = [];
    let cursor = null;
    do {
      const page = await fetchPage(PAGE, cursor);
      fresh.push(...page.conversations);
      cursor = page.next;
    } while (cursor && fresh.length < wanted);
    byId.clear();
    for (const conversation of fresh) byId.set(conversation.id, conversation);
    next = cursor;
    pages += 1;
    draw();
  }

  async function older() {
    if (!next || loading) return;
    loading = true;
    at('more').setAttribute('aria-busy', 'true');
    const mark = pages;
    try {
      const page = await fetchPage(PAGE, next);
      if (mark !== pages) return; // The list was read anew meanwhile.
      for (const conversation of page.conversations) {
        if (!byId.has(conversation.id)) byId.set(conversation.id, conversation);
      }
      next = page.next;
      draw();
    } catch (error) {
      onError(error);
    } finally {
      loading = false;
      at('more').removeAttribute('aria-busy');
    }
  }

  function upsert(conversation) {
    const known = byId.get(conversation.id);
    if (known && dateOf(known.updated_at) > dateOf(conversation.updated_at)) return;
    byId.set(conversation.id, conversation);
    draw();
    const row = rows.get(conversation.id);
    if (known?.last_message?.at !== conversation.last_message?.at) glow(row);
  }

  /** The person of this conversation types, or has stopped. */
  function typing(id, on) {
    clearTimeout(typists.get(id));
    typists.delete(id);
    if (on) typists.set(id, setTimeout(() => typing(id, false), TYPING_MS));
    const row = rows.get(id);
    if (row) dress(row, byId.get(id), new Date(), on);
  }

  function select(id) {
    selected = id;
    for (const [rowId, row] of rows) mark(row, rowId);
    rows.get(id)?.scrollIntoView({ block: 'nearest' });
  }

  const order = () => [...byId.values()].sort((one, other) =>
    dateOf(other.updated_at) - dateOf(one.updated_at) || (one.id < other.id ? 1 : -1));

  /** The id of the row `step` places below the selected one, or null at the ends. */
  function neighbour(step) {
    const ids = order().map((conversation) => conversation.id);
    const here = ids.indexOf(selected);
    if (here < 0) return ids[0] ?? null;
    return ids[here + step] ?? null;
  }

  function draw() {
    const now = new Date();
    const wanted = order().map((conversation) => {
      const row = rows.get(conversation.id) ?? rowNode(conversation.id);
      rows.set(conversation.id, row);
      dress(row, conversation, now, typists.has(conversation.id));
      mark(row, conversation.id);
      return row;
    });
    for (const id of rows.keys()) if (!byId.has(id)) rows.delete(id);
    place(at('list'), wanted);
    at('list-skeleton').hidden = true;
    at('list-empty').hidden = byId.size > 0;
    at('more').hidden = !next;
    drawCount();
  }

  function drawCount() {
    setText(at('count'), byId.size === 0 ? '' : showNumber(Math.max(total ?? 0, byId.size)));
  }

  function mark(row, id) {
    const link = row.firstElementChild;
    if (id === selected) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }

  function ages() {
    const now = new Date();
    for (const [id, row] of rows) {
      const conversation = byId.get(id);
      if (conversation) setText(row.querySelector('time'), showAge(dateOf(conversation.updated_at), now));
    }
  }

  at('more').addEventListener('click', older);
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) older();
  }, { root: at('list-scroller'), rootMargin: '400px' }).observe(at('more'));
  setInterval(ages, 20_000);

  return {
    reread,
    upsert,
    typing,
    select,
    neighbour,
    find: (id) => byId.get(id) ?? null,
    setTotal: (count) => {
      total = count;
      drawCount();
    },
  };
}

function rowNode(id) {
  const row = make('li', 'row');
  const link = make('a', 'row-link');
  link.href = `#/c/${encodeURIComponent(id)}`;
  const tile = make('span', 'tile');
  const first = make('span', 'row-first');
  first.append(make('bdi', 'address'), make('time', 'age'));
  const second = make('span', 'row-second');
  second.append(make('span', 'preview'), make('span', 'badges'));
  link.append(tile, first, second);
  row.append(link);
  return row;
}

function dress(row, conversation, now, isTyping) {
  const channel = conversation.channel;
  const tile = row.querySelector('.tile');
  if (row.dataset.channel !== channel) {
    row.dataset.channel = channel;
    tile.replaceChildren(icon(ICONS.has(channel) ? channel : 'chat'), make('span', 'hidden', `${showChannel(channel)}, ${showConnector(conversation.connector)} `));
  }
  setText(row.querySelector('.address'), showAddress(conversation.address));
  const time = row.querySelector('time');
  const updated = dateOf(conversation.updated_at);
  time.dateTime = updated.toISOString();
  time.title = updated.toLocaleString();
  setText(time, showAge(updated, now));

  const last = conversation.last_message;
  const preview = row.querySelector('.preview');
  const text = String(last?.text ?? '').slice(0, PREVIEW_LENGTH).replace(/\s+/g, ' ');
  const face = `${last?.direction}|${text}`;
  if (preview.dataset.face !== face) {
    preview.dataset.face = face;
    const words = make('bdi', '', text || (last ? 'Attachment' : 'No messages yet'));
    if (!text) words.className = 'faint';
    preview.replaceChildren(...(last?.direction === 'out' ? [make('span', 'by', 'Agent: ')] : []), words);
  }

  const badges = row.querySelector('.badges');
  const badge = stateBadge(conversation.state);
  const signs = `${badge?.text}|${badge?.tone}|${conversation.pending}|${isTyping}`;
  if (badges.dataset.face !== signs) {
    badges.dataset.face = signs;
    const list = isTyping ? [make('span', 'badge typist', 'Typing…')] : [];
    if (conversation.pending > 0) {
      const pending = make('span', 'pending', showNumber(conversation.pending));
      pending.title = `${conversation.pending} pending`;
      pending.append(make('span', 'hidden', ' pending'));
      list.push(pending);
    }
    if (badge) list.push(make('span', `badge ${badge.tone}`, badge.text));
    badges.replaceChildren(...list);
  }
}

function glow(row) {
  if (!row || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  row.firstElementChild.animate?.([{ backgroundColor: 'var(--glow)' }, {}], { duration: 1200, easing: 'ease-out' });
}
