// The line for calls: one WebSocket per number that comes back by itself. Sound is binary, everything else JSON.

const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 8000;
/** A line that lived for less is no success: the next attempt waits longer still. */
const SETTLED_MS = 5000;
/** Half a second of sound. What waits longer than that is not sent: it would be late. */
const MAX_UNSENT_BYTES = 4000;
/** The emulator closes a line with this code when the same number was opened elsewhere. */
const TAKEN = 4001;

/**
 * Holds the line of `number` until `close()`.
 *
 * `on.up()`, `on.down(retry)` and `on.taken(retry)` tell its state, `on.told(message)` gives what the emulator says,
 * `on.frame(buffer)` 20 ms of the far side.
 */
export function openLine(number, on) {
  let socket = null;
  let timer = 0;
  let attempt = 0;
  let ended = false;

  const connect = () => {
    if (ended) return;
    clearTimeout(timer);
    drop();
    const url = new URL(`/emulator/v1/phones/${encodeURIComponent(number)}/line`, location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const mine = new WebSocket(url);
    mine.binaryType = 'arraybuffer';
    socket = mine;
    let readyAt = Infinity;
    mine.addEventListener('message', ({ data }) => {
      if (mine !== socket) return;
      if (data instanceof ArrayBuffer) return on.frame(data);
      const message = parse(data);
      if (message?.type === 'ready') {
        readyAt = performance.now();
        on.up();
      } else if (message) {
        on.told(message);
      }
    });
    mine.addEventListener('close', ({ code }) => {
      if (mine !== socket) return;
      socket = null;
      if (performance.now() - readyAt > SETTLED_MS) attempt = 0;
      if (code === TAKEN) on.taken(connect);
      else retry();
    });
  };

  const retry = () => {
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt++);
    timer = setTimeout(connect, ceiling * (0.5 + Math.random() / 2));
    on.down(connect);
  };

  const drop = () => {
    const old = socket;
    socket = null;
    old?.close();
  };

  const open = () => socket?.readyState === WebSocket.OPEN;
  const wake = () => {
    if (!socket && timer) connect();
  };
  addEventListener('online', wake);
  connect();
  return {
    /** Says `message`; false when the line is down. */
    tell(message) {
      if (!open()) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
    speak(frame) {
      if (open() && socket.bufferedAmount < MAX_UNSENT_BYTES) socket.send(frame);
    },
    close() {
      ended = true;
      clearTimeout(timer);
      removeEventListener('online', wake);
      drop();
    },
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
