// The gateway's API: reads, the sign-in, and an event stream that comes back by itself.

/** The cookie is missing or no longer valid. */
export class SignedOut extends Error {}

/** The gateway answered, and it was no. */
export class Refused extends Error {}

const TIMEOUT_MS = 15_000;
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 8000;

async function read(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: 'application/json' } });
  if (response.status === 401) throw new SignedOut('not signed in');
  if (!response.ok) throw new Refused(`The gateway answered ${response.status}`);
  return response.json();
}

function page(path, limit, before) {
  const query = new URLSearchParams({ limit });
  if (before) query.set('before', before);
  return read(`${path}?${query}`);
}

export const status = () => read('/api/v1/status');
export const conversations = (limit, before) => page('/api/v1/conversations', limit, before);
const conversationPath = (id) => `/api/v1/conversations/${encodeURIComponent(id)}`;

export const conversation = (id) => read(conversationPath(id));
export const messages = (id, limit, before) =>
  page(`/api/v1/conversations/${encodeURIComponent(id)}/messages`, limit, before);

const callPath = (call) => `/api/v1/calls/${encodeURIComponent(call)}`;

export const workflows = () => read('/api/v1/workflows');
export function runs(workflow, state, limit, before) {
  const query = new URLSearchParams({ workflow, limit });
  if (state) query.set('state', state);
  if (before) query.set('before', before);
  return read(`/api/v1/workflow-runs?${query}`);
}
const runPath = (id) => `/api/v1/workflow-runs/${encodeURIComponent(id)}`;
export const run = (id) => read(runPath(id));
/** Has a run go on that failed. */
export const replayRun = (id) => order(`${runPath(id)}/replay`);
export const cancelRun = (id) => order(`${runPath(id)}/cancel`);

export const calls = (limit, before) => page('/api/v1/calls', limit, before);
export const call = (id) => read(callPath(id));
export const recordingOf = (id) => `${callPath(id)}/recording`;

async function order(path, body = {}) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status === 401) throw new SignedOut('not signed in');
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  throw new Refused(problem?.message ?? `The gateway answered ${response.status}`);
}

/**
 * Has something done in a call that goes on: `hang_up`, `say` {text}, `digits` {digits}, `transfer` {to, briefing}, `hold`
 * {announcement} or `resume`.
 */
export async function orderCall(id, what, body = {}) {
  await order(`${callPath(id)}/${what}`, body);
}

/** Ends a conversation; what it is then. */
export const agents = () => read('/api/v1/agents');
export const tools = (id) => read(`${conversationPath(id)}/tools`);
export const scheduled = (id) => read(`${conversationPath(id)}/scheduled`);

/** Has something done in a conversation: `hand-over`, `resume`, `agent` {agent} or `messages` {text, id}. */
export async function orderConversation(id, what, body = {}) {
  return (await order(`${conversationPath(id)}/${what}`, body)).json();
}

export async function closeConversation(id) {
  return (await order(`${conversationPath(id)}/close`)).json();
}

/** True when the token was right; the gateway has then set its cookie. */
export async function signIn(token) {
  const response = await fetch('/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.ok) return true;
  if (response.status === 401 || response.status === 403) return false;
  throw new Refused(`The gateway answered ${response.status}`);
}

/**
 * Follows the gateway for as long as the page lives. After every (re)connection `on.reread()` runs first, so that what
 * happened in between is not missed; events that arrive meanwhile are applied after it. An event stream cannot tell
 * "signed out" from "gone", so `reread` is also what notices a 401.
 */
export function follow(on) {
  let source = null;
  let timer = 0;
  let attempt = 0;
  let ended = false;

  const connect = () => {
    clearTimeout(timer);
    source?.close();
    const mine = new EventSource('/api/v1/events');
    source = mine;
    let early = [];
    const deliver = (kind, event) => {
      if (ended || mine !== source) return;
      const data = parse(event.data);
      if (!data) return;
      if (early) early.push([kind, data]);
      else on[kind](data);
    };
    mine.addEventListener('open', () => catchUp(mine, () => {
      for (const [kind, data] of early) on[kind](data);
      early = null;
    }));
    mine.addEventListener('conversation', (event) => deliver('conversation', event));
    mine.addEventListener('status', (event) => deliver('status', event));
    mine.addEventListener('typing', (event) => deliver('typing', event));
    mine.addEventListener('calls', (event) => deliver('calls', event));
    mine.addEventListener('workflow', (event) => deliver('workflow', event));
    mine.addEventListener('error', () => {
      if (mine === source) lost();
    });
  };

  const catchUp = async (mine, then) => {
    try {
      await on.reread();
      if (ended || mine !== source) return;
      then();
      attempt = 0;
      on.up();
    } catch (error) {
      if (mine !== source) return;
      if (error instanceof SignedOut) stop();
      else lost();
    }
  };

  const lost = async () => {
    source?.close();
    source = null;
    if (ended) return;
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt++);
    clearTimeout(timer);
    timer = setTimeout(connect, ceiling * (0.5 + Math.random() / 2));
    on.down(connect);
    try {
      await status();
    } catch (error) {
      if (error instanceof SignedOut) stop();
    }
  };

  const stop = () => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    source?.close();
    on.signedOut();
  };

  addEventListener('online', () => {
    if (!source && !ended) connect();
  });
  connect();
  return stop;
}

function parse(data) {
  try {
    const value = JSON.parse(data);
    return value && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
