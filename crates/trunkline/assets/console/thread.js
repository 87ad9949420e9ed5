// One open conversation: its messages in order, each with its status, kept up to date.

import { at, icon, make, place, setText } from './dom.js';
import { dateOf, showAddress, showBytes, showChannel, showConnector, showDay, showTime, stateBadge, statusTick, statusTone, words } from './text.js';

const PAGE = 200;
const FOLD_AT = 2000;
const GROUP_GAP_MS = 3 * 60_000;
const NEAR_END_PX = 80;
const TYPING_MS = 10_000;
/** Where a platform counts nothing, times stand for places. */
const FIRST_TIME = 1_000_000_000;

/**
 * `fetchPage(id, limit, before)` reads one page of messages, `fetchTools(id)` the tools that agents called,
 * `fetchPromises(id)` the texts that they promised for later; `onError` is told when they cannot.
 */
export function createThread(fetchPage, fetchTools, fetchPromises, onError) {
  const scroller = at('scroller');
  const log = at('thread');
  let id = null;
  let byId = new Map();
  let nodes = new Map();
  let next = null;
  let tools = [];
  let promises = [];
  let unseen = 0;
  let reading = null;
  let again = false;
  let typist = 0;

  const nearEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX;

  /** Shows `conversation`, which may be null while only its id is known. */
  async function open(newId, conversation) {
    if (newId === id) return;
    id = newId;
    byId = new Map();
    nodes = new Map();
    next = null;
    tools = [];
    promises = [];
    unseen = 0;
    reading = null;
    log.replaceChildren();
    at('open').hidden = id === null;
    at('nothing').hidden = id !== null;
    at('earlier').hidden = true;
    at('jump').hidden = true;
    typing(false);
    if (id === null) return;
    describe(conversation ?? { id, address: null });
    note('Loading…');
    await refresh();
  }

  /** The person types, or has stopped; one who goes away without a word is not waited for. */
  function typing(on) {
    clearTimeout(typist);
    at('who-typing').hidden = !on;
    if (on) typist = setTimeout(() => typing(false), TYPING_MS);
  }

  function describe(conversation) {
    if (conversation.id !== id) return;
    const known = conversation.address !== null;
    at('thread-pane').dataset.channel = conversation.channel ?? '';
    const name = conversation.friendly_name;
    setText(at('who').firstElementChild, known ? name || showAddress(conversation.address) : 'Conversation');
    at('who').title = known && name ? showAddress(conversation.address) : '';
    setText(at('who-channel'), known ? showChannel(conversation.channel) : '');
    setText(at('who-connector'), known ? `via ${showConnector(conversation.connector)}` : '');
    at('who-channel').hidden = !known;
    setText(at('who-sid').querySelector('.sid-text'), conversation.external_id || conversation.id);
    const badge = stateBadge(conversation.state);
    const state = at('who-state');
    state.hidden = !badge;
    if (badge) {
      state.className = `badge ${badge.tone}`;
      setText(state, badge.text);
    }
  }

  /** Reads the newest page again. Calls that come while one is under way become one more, after it. */
  function refresh() {
    if (id === null) return Promise.resolve();
    if (reading) {
      again = true;
      return reading;
    }
    const mine = readNewest(id).finally(() => {
      if (reading !== mine) return;
      reading = null;
      if (again) {
        again = false;
        refresh().catch(onError);
      }
    });
    reading = mine;
    return mine;
  }

  async function readNewest(wanted) {
    try {
      const [page, called, promised] = await Promise.all([
        fetchPage(wanted, PAGE), fetchTools(wanted), fetchPromises(wanted),
      ]);
      if (wanted !== id) return;
      tools = Array.isArray(called.tools) ? called.tools : [];
      promises = (promised.scheduled ?? []).filter((promise) => promise.state === 'waiting');
      const first = byId.size === 0;
      // A page that touches nothing we hold leaves a hole: start over from it.
      const touches = page.messages.some((message) => byId.has(message.id));
      if (!touches) {
        byId.clear();
        next = page.next;
      }
      const news = page.messages.filter((message) => !byId.has(message.id));
      for (const message of page.messages) byId.set(message.id, message);
      log.setAttribute('aria-live', first ? 'off' : 'polite');
      draw(first ? 0 : news.length, first);
      note(byId.size === 0 ? 'No messages yet' : null);
    } catch (error) {
      if (wanted !== id) return;
      if (byId.size === 0) note('These messages could not be read');
      throw error;
    }
  }

  async function earlier() {
    const wanted = id;
    const button = at('earlier');
    if (!next || button.disabled) return;
    button.disabled = true;
    try {
      const page = await fetchPage(wanted, PAGE, next);
      if (wanted !== id) return;
      for (const message of page.messages) if (!byId.has(message.id)) byId.set(message.id, message);
      next = page.next;
      const height = scroller.scrollHeight;
      const top = scroller.scrollTop;
      log.setAttribute('aria-live', 'off');
      draw(0);
      scroller.scrollTop = top + scroller.scrollHeight - height;
    } catch (error) {
      onError(error);
    } finally {
      button.disabled = false;
    }
  }

  function draw(news, force = false) {
    const follow = force || nearEnd();
    const kept = new Map();
    const wanted = [];
    const keep = (key, create) => {
      const node = nodes.get(key) ?? create();
      kept.set(key, node);
      wanted.push(node);
      return node;
    };
    let before = null;
    const messages = [...byId.values()].sort(byPlace);
    // Tools that were called before the oldest message that is shown stand with what is not.
    const start = messages.length > 0 && next ? dateOf(messages[0].at) : 0;
    const called = tools.filter((tool) => dateOf(tool.at) >= start);
    const keepTools = (until) => {
      while (called.length > 0 && dateOf(called[0].at) <= until) {
        const tool = called.shift();
        // One that goes on is drawn anew when it has ended.
        keep(`tool:${tool.turn}:${tool.number}:${tool.error_code}`, () => toolNode(tool));
      }
    };
    for (const message of messages) {
      const when = dateOf(message.at);
      keepTools(when);
      const sameDay = before && when.toDateString() === dateOf(before.at).toDateString();
      if (!sameDay) keep(`day:${when.toDateString()}`, () => dayNode(when));
      const joined = sameDay && before.direction === message.direction && before.author === message.author
        && when - dateOf(before.at) < GROUP_GAP_MS;
      const node = keep(message.id, () => messageNode(message));
      node.classList.toggle('joined', Boolean(joined));
      dress(node, message);
      before = message;
    }
    keepTools(Infinity);
    for (const promise of promises) keep(`promise:${promise.id}`, () => promiseNode(promise));
    nodes = kept;
    place(log, wanted);
    at('earlier').hidden = !next;
    if (follow) scroller.scrollTop = scroller.scrollHeight;
    else unseen += news;
    jump();
  }

  function jump() {
    const end = nearEnd();
    if (end) unseen = 0;
    at('jump').hidden = end;
    at('jump').classList.toggle('has-news', unseen > 0);
    setText(at('jump-text'), unseen === 0 ? 'Latest' : unseen === 1 ? '1 new message' : `${unseen} new messages`);
    scroller.dataset.end = end ? 'yes' : 'no';
  }

  function note(text) {
    at('thread-note').hidden = !text;
    setText(at('thread-note'), text ?? '');
  }

  scroller.addEventListener('scroll', jump, { passive: true });
  new ResizeObserver(() => {
    if (scroller.dataset.end === 'yes') scroller.scrollTop = scroller.scrollHeight;
  }).observe(scroller);
  at('jump').addEventListener('click', () => {
    scroller.scrollTop = scroller.scrollHeight;
  });
  at('earlier').addEventListener('click', earlier);

  return { open, describe, refresh, typing, openId: () => id };
}

/** By index where both have one (the order of the platform), else by time. */
function byPlace(one, other) {
  if (Number.isInteger(one.index) && Number.isInteger(other.index)) return one.index - other.index;
  return dateOf(one.at) - dateOf(other.at);
}

function messageNode(message) {
  const node = make('div', `message ${message.direction === 'out' ? 'out' : 'in'}`);
  node.append(make('p', 'author', message.direction === 'out' ? message.author || 'Agent' : 'Customer'));
  const bubble = make('div', 'bubble');
  const text = String(message.text ?? '');
  const media = Array.isArray(message.media) ? message.media : [];
  if (text) bubble.append(bodyNode(text));
  for (const file of media) bubble.append(fileNode(file));
  if (!text && media.length === 0) bubble.append(make('p', 'blank', 'No text'));
  node.append(bubble, make('p', 'meta'));
  return node;
}

/** What may change after a message was drawn: its index and its status. */
function dress(node, message) {
  const meta = node.lastElementChild;
  const face = [message.index, message.status, message.error_code, message.edited_at, message.removed_at].join('|');
  if (meta.dataset.face === face) return;
  meta.dataset.face = face;
  if (message.removed_at) {
    node.querySelector('.bubble').replaceChildren(make('p', 'blank', 'Message removed'));
  } else if (message.edited_at) {
    node.querySelector('.body')?.replaceWith(bodyNode(String(message.text ?? '')));
  }
  const when = dateOf(message.at);
  const time = make('time', '', showTime(when));
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  const parts = [time];
  if (message.status) {
    const code = message.error_code ? ` ${message.error_code}` : '';
    const tick = make('span', 'tick', statusTick(message.status));
    tick.setAttribute('aria-hidden', 'true');
    const status = make('span', `status ${statusTone(message.status)}`, `${words(message.status)}${code}`);
    status.prepend(tick);
    if (message.error_meaning) status.append(make('span', 'meaning', `: ${message.error_meaning}`));
    parts.push(status);
  }
  if (message.edited_at && !message.removed_at) {
    const edited = make('span', 'edited', 'Edited');
    edited.title = dateOf(message.edited_at).toLocaleString();
    parts.push(edited);
  }
  if (Number.isInteger(message.index) && message.index < FIRST_TIME) {
    const index = make('span', 'index', `#${message.index}`);
    index.title = 'Index in the conversation';
    parts.push(index);
  }
  meta.replaceChildren(...parts);
  node.classList.toggle('failed', statusTone(message.status) === 'bad');
}

/** A tool that an agent called, with what it was given and gave behind a fold. */
function toolNode(tool) {
  const node = make('details', `tool ${tool.error_code ? 'failed' : ''}`);
  const summary = make('summary', 'tool-line');
  summary.append(make('bdi', 'tool-name', tool.tool), make('span', 'tool-time', `${tool.duration_ms} ms`));
  if (tool.error_code) summary.append(make('span', 'tool-code', tool.error_code));
  node.append(summary, make('pre', 'tool-text', tool.arguments), make('pre', 'tool-text', tool.result));
  return node;
}

/** A text that was promised for later, and waits. */
function promiseNode(promise) {
  const when = dateOf(promise.at);
  const node = make('p', 'promise');
  const time = make('time', '', `${showDay(when)}, ${showTime(when)}`);
  time.dateTime = promise.at;
  node.append('Promised for ', time, ': ', make('bdi', '', promise.text));
  return node;
}

function bodyNode(text) {
  const body = make('p', 'body');
  body.dir = 'auto';
  if (text.length <= FOLD_AT) {
    body.textContent = text;
    return body;
  }
  const fold = document.createDocumentFragment();
  const more = make('button', 'link more');
  more.type = 'button';
  const set = (open) => {
    body.textContent = open ? text : `${[...text.slice(0, FOLD_AT)].slice(0, -1).join('')}…`;
    more.textContent = open ? 'Show less' : `Show all ${text.length.toLocaleString()} characters`;
    more.setAttribute('aria-expanded', String(open));
  };
  more.addEventListener('click', () => set(more.getAttribute('aria-expanded') === 'false'));
  set(false);
  fold.append(body, more);
  return fold;
}

function fileNode(file) {
  const chip = make('p', 'file');
  if (typeof file?.url === 'string' && file.url.startsWith('/api/v1/media/')) chip.append(shownFile(file));
  const detail = [file?.filename ? file.content_type : '', showBytes(file?.size), file?.error_code].filter(Boolean).join(', ');
  chip.append(
    icon('file'),
    make('bdi', 'file-name', String(file?.filename || file?.content_type || 'Attachment')),
    make('span', 'file-detail', detail),
  );
  return chip;
}

/** The file itself: pictures are shown, sound and films can be played. */
function shownFile(file) {
  if (file.kind === 'image') {
    const link = make('a', 'file-link');
    link.href = file.url;
    link.target = '_blank';
    link.rel = 'noopener';
    const image = make('img', 'file-image');
    image.src = file.url;
    image.loading = 'lazy';
    image.alt = String(file.filename || 'Picture');
    link.append(image);
    return link;
  }
  const player = make(file.kind === 'video' ? 'video' : 'audio', 'file-player');
  player.src = file.url;
  player.controls = true;
  player.preload = 'none';
  return player;
}

function dayNode(date) {
  const node = make('div', 'day');
  node.append(make('span', '', showDay(date)));
  return node;
}
