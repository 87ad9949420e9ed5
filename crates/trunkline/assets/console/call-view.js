// One call: what was said turn by turn, how long each answer took, and the recording when it is over.

import { at, make, place, setText } from './dom.js';
import { createCallControls } from './call-controls.js';
import { fullness } from './calls-list.js';
import { callBadge, dateOf, isOutbound, showAddress, showDay, showDuration, showNumber, showTime } from './text.js';

/** An answer that took longer than this is marked: people on a telephone notice. */
const SLOW_MS = 1500;
const NEAR_END_PX = 80;

/**
 * `read(id)` reads one call with all its turns, `order(id, what, body)` has something done in one, `recordingOf(id)` is
 * where its sound is; `onError` is told of what failed.
 */
export function createCallView({ read, order, recordingOf }, onError) {
  const scroller = at('call-scroller');
  const log = at('call-turns');
  let id = null;
  let call = null;
  let turns = new Map();
  let nodes = new Map();
  const controls = createCallControls((what, body) => order(id, what, body), onError);

  /** Shows the call `newId`; `known` is what the list has of it, or null. */
  async function open(newId, known) {
    if (newId === id) return;
    id = newId;
    call = null;
    turns = new Map();
    nodes = new Map();
    log.replaceChildren();
    at('call-open').hidden = id === null;
    at('call-recording').removeAttribute('src');
    at('call-recording').load();
    if (id === null) return;
    log.setAttribute('aria-live', 'off');
    note('Loading…');
    show(known ?? { call: id });
    await refresh();
    log.setAttribute('aria-live', 'polite');
  }

  async function refresh() {
    if (id === null) return;
    const wanted = id;
    try {
      const fresh = await read(wanted);
      if (wanted !== id) return;
      show(fresh);
      note(turns.size === 0 ? 'Nothing was said' : '');
    } catch (error) {
      if (wanted !== id) return;
      if (turns.size === 0) note('This call could not be read');
      onError(error);
    }
  }

  /** News of the open call, which may hold its last turns only. `known` is null when the list has it no more. */
  function update(known) {
    if (id === null || !known) return;
    const ended = call?.ended === undefined && known.ended !== undefined;
    show(known);
    if (turns.size > 0) note('');
    if (ended) refresh();
  }

  function show(known) {
    call = known;
    const first = turns.size === 0;
    for (const turn of Array.isArray(known.turns) ? known.turns : []) turns.set(turn.at_ms, turn);
    const going = known.since !== undefined && known.ended === undefined;
    setText(at('call-who').firstElementChild, known.contact ? showAddress(known.contact) : 'Call');
    setText(at('call-direction'), known.direction ? (isOutbound(known) ? 'Outgoing' : 'Incoming') : '');
    setText(at('call-sid'), known.call);
    const badge = known.direction ? callBadge(known) : null;
    at('call-badge').hidden = !badge;
    if (badge) {
      at('call-badge').className = `badge ${badge.tone}`;
      setText(at('call-badge'), badge.text);
    }
    controls.show(id, going, known.machine);
    const recorded = !going && Boolean(known.recording);
    at('call-sound').hidden = !going && !recorded;
    at('call-level').hidden = !going;
    at('call-level').firstElementChild.style.transform = `scaleX(${fullness(known.level_dbfs).toFixed(3)})`;
    if (Number.isFinite(known.level_dbfs)) at('call-level').setAttribute('aria-valuenow', String(Math.round(known.level_dbfs)));
    at('call-recording').hidden = !recorded;
    const source = recordingOf(id);
    if (recorded && at('call-recording').getAttribute('src') !== source) at('call-recording').src = source;
    tick();
    drawTurns(first);
  }

  function drawTurns(first) {
    const end = first || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX;
    const wanted = [...turns.values()].sort((one, other) => one.at_ms - other.at_ms).map((turn) => {
      const node = nodes.get(turn.at_ms) ?? make('div', 'turn');
      nodes.set(turn.at_ms, node);
      dress(node, turn);
      return node;
    });
    place(log, wanted);
    if (end) scroller.scrollTop = scroller.scrollHeight;
  }

  /** How long it has lasted, or when it was and how long. */
  function tick() {
    if (id === null || !call) return;
    const began = dateOf(call.since ?? call.started);
    const going = call.since !== undefined && call.ended === undefined;
    const when = going ? showDuration((Date.now() - began) / 1000)
      : call.started ? `${showDay(began)}, ${showTime(began)}, ${showDuration(call.duration_s)}` : '';
    setText(at('call-when'), when);
  }

  function note(text) {
    at('call-note').hidden = !text;
    setText(at('call-note'), text);
  }

  setInterval(tick, 1000);

  return { open, update, refresh, openId: () => id };
}

function dress(node, turn) {
  const face = JSON.stringify([turn.person, turn.agent, turn.latency_ms, turn.interrupted]);
  if (node.dataset.face === face) return;
  node.dataset.face = face;
  node.replaceChildren(
    ...(turn.person ? [said('in', 'Caller', turn.person, [showDuration(turn.at_ms / 1000)])] : []),
    ...(turn.agent ? [said('out', 'Agent', turn.agent, signs(turn))] : []),
  );
}

function signs({ person, at_ms, latency_ms: latency, interrupted }) {
  const parts = [];
  if (!person) parts.push(showDuration(at_ms / 1000));
  if (Number.isFinite(latency)) {
    const took = make('span', latency > SLOW_MS ? 'latency slow' : 'latency', `${showNumber(Math.round(latency))} ms`);
    took.title = 'From the end of the caller’s words to the first sound of the answer';
    parts.push(took);
  }
  if (interrupted) parts.push(make('span', 'interrupted', 'Interrupted'));
  return parts;
}

function said(side, who, text, about) {
  const node = make('div', `message ${side}`);
  const bubble = make('div', 'bubble');
  const body = make('p', 'body', String(text));
  body.dir = 'auto';
  bubble.append(body);
  const meta = make('p', 'meta');
  meta.append(...about);
  node.append(make('p', 'author', who), bubble, meta);
  return node;
}
