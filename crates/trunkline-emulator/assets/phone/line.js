// The line to the emulator: three requests and one event stream that comes back by itself.

/** What the emulator answered when it refused. `code` is Twilio's number where there is one. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message || `The emulator answered ${status}`);
    this.status = status;
    this.code = code ?? null;
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(15_000) });
  } catch {
    throw new Refused(0, null, 'The emulator does not answer');
  }
  const data = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, data?.code, data?.message);
  return data ?? {};
}

export const account = () => request('/emulator/v1/account');

const phone = (address) => `/emulator/v1/phones/${encodeURIComponent(address)}`;

export const messages = async (address) => (await request(`${phone(address)}/messages`)).messages ?? [];

const json = (method, body) => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export const send = (from, to, body, channel) => (
  request('/emulator/v1/messages', json('POST', { from, to, body, channel }))
);

export const receiving = (address) => request(`${phone(address)}/receiving`);

export const setReceiving = (address, rule) => request(`${phone(address)}/receiving`, json('PUT', { rule }));

export const markRead = (address, sid) => (
  request(`${phone(address)}/messages/${encodeURIComponent(sid)}/status`, json('POST', { status: 'read' }))
);

export const faults = async () => (await request('/emulator/v1/faults')).faults ?? [];

export const addFault = (fault) => request('/emulator/v1/faults', json('POST', fault));

export const clearFault = (id) => request(`/emulator/v1/faults/${id}`, { method: 'DELETE' });

export const clearFaults = () => request('/emulator/v1/faults', { method: 'DELETE' });

const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 8000;

/**
 * Follows one phone's events for as long as it is wanted. After every (re)connection the list is read again, so
 * nothing that happened in between is missed; events that arrive while it is read are applied on top of it.
 *
 * `on.list(messages)` replaces, `on.message(message)` adds or updates, `on.up()` and `on.down(retry)` tell the state.
 */
export function follow(address, on) {
  let source = null;
  let timer = 0;
  let attempt = 0;
  let ended = false;

  const connect = () => {
    clearTimeout(timer);
    source?.close();
    const mine = new EventSource(`${phone(address)}/events`);
    source = mine;
    let early = [];
    mine.addEventListener('open', async () => {
      try {
        const list = await messages(address);
        if (ended || mine !== source) return;
        attempt = 0;
        on.list(list);
        for (const message of early) on.message(message);
        early = null;
        on.up();
      } catch {
        if (mine === source) lost();
      }
    });
    mine.addEventListener('message', (event) => {
      const message = parse(event.data);
      if (!message || ended || mine !== source) return;
      if (early) early.push(message);
      else on.message(message);
    });
    mine.addEventListener('error', () => {
      if (mine === source) lost();
    });
  };

  const lost = () => {
    source?.close();
    source = null;
    if (ended) return;
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt++);
    clearTimeout(timer);
    timer = setTimeout(connect, ceiling * (0.5 + Math.random() / 2));
    on.down(connect);
  };

  const wake = () => {
    if (!source && !ended) connect();
  };
  addEventListener('online', wake);
  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
    removeEventListener('online', wake);
  };
}

function parse(data) {
  try {
    const message = JSON.parse(data);
    return message && typeof message === 'object' ? message : null;
  } catch {
    return null;
  }
}
