// The list of calls: those that go on, then those that are over, newest first.

import { at, icon, make, place, setText } from './dom.js';
import { callBadge, dateOf, isOutbound, showAddress, showAge, showDuration, showNumber } from './text.js';

const PAGE = 50;
const FLOOR_DB = -60;

/**
 * `fetchPage(limit, before)` reads one page of past calls and all that go on. `on.changed()` is called after every
 * change, `on.error(error)` is told of a page that could not be read.
 */
export function createCallsList(fetchPage, on) {
  const rows = new Map();
  let live = [];
  let past = [];
  let next = null;
  let selected = null;
  let reading = null;
  let again = false;
  let paging = false;

  /** Reads anew; calls that come while one is under way become one more, after it. */
  function refresh() {
    if (reading) {
      again = true;
      return reading;
    }
    reading = readFirst().finally(() => {
      reading = null;
      if (!again) return;
      again = false;
      refresh();
    });
    return reading;
  }

  async function readFirst() {
    try {
      const page = await fetchPage(PAGE);
      live = listOf(page.live);
      const fresh = listOf(page.past);
      const held = new Set(fresh.map(({ call }) => call));
      // A page that touches what is held is joined to it; one that does not leaves a hole, so the rest goes.
      const touches = past.some(({ call }) => held.has(call));
      if (!touches) next = page.next ?? null;
      past = touches ? [...fresh, ...past.filter(({ call }) => !held.has(call))] : fresh;
      note('');
      draw();
    } catch (error) {
      if (live.length + past.length === 0) note('The calls could not be read');
      on.error(error);
    }
  }

  async function older() {
    if (!next || paging) return;
    paging = true;
    try {
      const page = await fetchPage(PAGE, next);
      const held = new Set(past.map(({ call }) => call));
      past = [...past, ...listOf(page.past).filter(({ call }) => !held.has(call))];
      next = page.next ?? null;
      draw();
    } catch (error) {
      on.error(error);
    } finally {
      paging = false;
    }
  }

  /** An event: with `live`, that is what goes on now; a call that left it is over and is read. */
  function heard({ live: now }) {
    if (!Array.isArray(now)) return refresh();
    const going = new Set(now.map(({ call }) => call));
    const ended = live.some(({ call }) => !going.has(call));
    live = listOf(now);
    draw();
    if (ended) refresh();
  }

  function draw() {
    const now = new Date();
    const rowOf = (call) => {
      const row = rows.get(call.call) ?? rowNode(call.call);
      rows.set(call.call, row);
      dress(row, call, now);
      mark(row, call.call);
      return row;
    };
    place(at('calls-live'), live.map(rowOf));
    const going = new Set(live.map(({ call }) => call));
    place(at('calls-past'), past.filter(({ call }) => !going.has(call)).map(rowOf));
    const known = new Set([...live, ...past].map(({ call }) => call));
    for (const id of rows.keys()) if (!known.has(id)) rows.delete(id);
    at('live-title').hidden = live.length === 0;
    at('past-title').hidden = past.length === 0 || live.length === 0;
    at('calls-empty').hidden = live.length + past.length > 0;
    at('calls-more').hidden = !next;
    at('live-count').hidden = live.length === 0;
    at('live-count').title = `${live.length} now`;
    setText(at('live-count'), showNumber(live.length));
    on.changed();
  }

  function note(text) {
    at('calls-note').hidden = !text;
    setText(at('calls-note'), text);
    if (text) at('calls-empty').hidden = true;
  }

  function mark(row, id) {
    const link = row.firstElementChild;
    if (id === selected) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }

  /** Once a second: how long the calls that go on have lasted. */
  function tick() {
    if (at('calls-scroller').hidden || document.hidden) return;
    const now = new Date();
    for (const call of live) if (rows.has(call.call)) dress(rows.get(call.call), call, now);
  }

  at('calls-more').addEventListener('click', older);
  setInterval(tick, 1000);

  return {
    refresh,
    heard,
    select(id) {
      selected = id;
      for (const [rowId, row] of rows) mark(row, rowId);
    },
    neighbour(step) {
      const ids = [...live, ...past].map(({ call }) => call);
      const here = ids.indexOf(selected);
      return here < 0 ? ids[0] ?? null : ids[here + step] ?? null;
    },
    find: (id) => live.find(({ call }) => call === id) ?? past.find(({ call }) => call === id) ?? null,
    isLive: (id) => live.some(({ call }) => call === id),
  };
}

const listOf = (calls) => (Array.isArray(calls) ? calls : []).filter((call) => typeof call?.call === 'string');

/** How full a level meter is, 0 to 1, for dB below full scale. */
export function fullness(level) {
  return Number.isFinite(level) ? 1 - Math.max(FLOOR_DB, Math.min(0, level)) / FLOOR_DB : 0;
}

function rowNode(id) {
  const row = make('li', 'row');
  const link = make('a', 'row-link call-link');
  link.href = `#/calls/${encodeURIComponent(id)}`;
  const first = make('span', 'row-first');
  first.append(make('bdi', 'address'), make('time', 'age'));
  const second = make('span', 'row-second');
  second.append(make('span', 'preview'), make('span', 'badges'));
  const level = make('span', 'level');
  level.setAttribute('aria-hidden', 'true');
  level.append(make('i'));
  link.append(make('span', 'tile'), first, second, level);
  row.append(link);
  return row;
}

function dress(row, call, now) {
  const outbound = isOutbound(call);
  const going = call.ended === undefined;
  const face = `${outbound}`;
  const tile = row.querySelector('.tile');
  if (tile.dataset.face !== face) {
    tile.dataset.face = face;
    tile.replaceChildren(icon(outbound ? 'call-out' : 'call-in'), make('span', 'hidden', outbound ? 'Outgoing call ' : 'Incoming call '));
  }
  row.classList.toggle('live', going);
  setText(row.querySelector('.address'), showAddress(call.contact));
  const began = dateOf(going ? call.since : call.started);
  const time = row.querySelector('time');
  time.dateTime = began.toISOString();
  time.title = began.toLocaleString();
  setText(time, going ? showDuration((now - began) / 1000) : showAge(began, now));
  const last = listOfTurns(call).at(-1);
  const text = String(last?.agent || last?.person || call.first_words || '').slice(0, 160).replace(/\s+/g, ' ');
  setText(row.querySelector('.preview'), text || (going ? 'Nothing was said yet' : ''));
  const badges = row.querySelector('.badges');
  const badge = callBadge(call);
  const length = going ? '' : showDuration(call.duration_s);
  const signs = `${badge?.text}|${badge?.tone}|${length}`;
  if (badges.dataset.face !== signs) {
    badges.dataset.face = signs;
    badges.replaceChildren(
      ...(length ? [make('span', 'length', length)] : []),
      ...(badge ? [make('span', `badge ${badge.tone}`, badge.text)] : []),
    );
  }
  const level = row.querySelector('.level');
  level.hidden = !going;
  level.firstElementChild.style.transform = `scaleX(${fullness(call.level_dbfs).toFixed(3)})`;
}

const listOfTurns = ({ turns }) => (Array.isArray(turns) ? turns : []);
