// The socket: it greets, comes back by itself, and passes frames on.

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 8000;
/** A connection that takes longer than this to be greeted is given up. */
const GREETED_WITHIN_MS = 15_000;

/**
 * Keeps a socket open for as long as the page lives. `hello()` says what to greet with; `on.frame(frame)` gets every
 * frame, `on.up()` follows each `welcome`, `on.down()` each loss.
 */
export function createLine(hello, on) {
  const url = new URL('chat/socket', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  let socket = null;
  let greeted = false;
  let attempt = 0;
  let timer = 0;
  let patience = 0;

  function connect() {
    clearTimeout(timer);
    const mine = new WebSocket(url);
    socket = mine;
    greeted = false;
    patience = setTimeout(() => mine.close(), GREETED_WITHIN_MS);
    mine.addEventListener('open', () => mine.send(JSON.stringify({ type: 'hello', ...hello() })));
    mine.addEventListener('message', (event) => {
      if (mine !== socket) return;
      const frame = parse(event.data);
      if (!frame) return;
      if (frame.type === 'welcome') {
        clearTimeout(patience);
        greeted = true;
        attempt = 0;
      }
      on.frame(frame);
      if (frame.type === 'welcome') on.up();
    });
    mine.addEventListener('close', () => {
      if (mine === socket) lost();
    });
  }

  function lost() {
    clearTimeout(patience);
    socket = null;
    greeted = false;
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt++);
    timer = setTimeout(connect, ceiling * (0.5 + Math.random() / 2));
    on.down();
  }

  function again() {
    const old = socket;
    socket = null;
    clearTimeout(patience);
    old?.close();
    connect();
  }

  addEventListener('online', () => {
    if (!greeted) again();
  });
  connect();

  return {
    /** Greets anew, say with another token. */
    again,
    /** True if the frame left; the other side may still not get it. */
    send(frame) {
      if (!greeted || socket?.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(frame));
      return true;
    },
  };
}

function parse(data) {
  try {
    const value = JSON.parse(data);
    return value && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
