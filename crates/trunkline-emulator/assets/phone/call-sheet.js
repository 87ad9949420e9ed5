// The sheet of a call: what phase it is in, who, how loud, what was said, and the buttons that fit.

import { showNumber } from './text.js';

const KEYS = [
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'], ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'], ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'],
  ['*', ''], ['0', '+'], ['#', ''],
];
const NAMES = { '*': 'star', '#': 'pound' };
const FLOOR_DB = -60;
/** Meters move twenty times a second; what a screen reader reads of them changes less often. */
const READ_LEVELS_EVERY_MS = 1000;
const STATES = {
  connecting: 'Connecting…', ringing: 'Ringing…', incoming: 'Incoming call', answering: 'Answering…', talking: 'In call',
  ending: 'Hanging up…', lost: 'Line lost. Reconnecting…',
};
const NOTES = {
  asking: 'Waiting for the microphone. You can type meanwhile.',
  on: '',
  denied: 'The microphone is not allowed. Type below, and it is said for you.',
  missing: 'There is no microphone. Type below, and it is said for you.',
  silent: 'This browser gives no sound to this page: open it on localhost or over https. Type below, and it is said for you.',
};

const at = (id) => document.getElementById(id);

/** `calls` does what the buttons ask for; `others` are inert while the sheet is open. */
export function createCallSheet(calls, others) {
  let shown = { phase: 'idle', words: [] };
  let before = null;
  let ticking = 0;
  let levelsReadAt = 0;

  function draw(call) {
    const { phase } = call;
    const opened = shown.phase === 'idle' && phase !== 'idle';
    const changed = shown.phase !== phase;
    const drawn = shown.words;
    shown = call;
    if (phase === 'idle') return changed ? close() : undefined;
    if (opened) open();
    at('call').dataset.phase = phase;
    at('call-kind').textContent = call.outgoing ? 'You call' : 'A call for you';
    at('call-who').firstElementChild.textContent = call.peer ? showNumber(call.peer) : 'Unknown number';
    setText(at('call-state'), phase === 'ended' ? call.reason : STATES[phase]);
    setText(at('call-trouble'), call.trouble);
    drawTime();
    const talking = phase === 'talking';
    setText(at('call-note'), talking ? noteOf(call) : '');
    if (drawn !== call.words) drawWords(call.words);
    at('say').hidden = !talking;
    at('meters').hidden = !talking;
    at('words').hidden = call.words.length === 0 || (talking && keypadOpen());
    at('call-body').hidden = !talking && call.words.length === 0;
    if (!talking) showKeypad(false);
    at('keypad-digits').textContent = call.digits;
    drawActions(call);
    if (changed) settleFocus(opened);
  }

  function drawActions({ phase, muted }) {
    const talking = phase === 'talking';
    const ended = phase === 'ended';
    at('call-mute').hidden = !talking;
    at('call-mute').setAttribute('aria-pressed', String(muted));
    at('call-mute').querySelector('use').setAttribute('href', muted ? '#i-mic-off' : '#i-mic');
    at('call-keypad').hidden = !talking;
    at('call-end').hidden = ended;
    at('call-end').disabled = phase === 'ending';
    at('call-end-text').textContent = phase === 'incoming' ? 'Decline' : 'Hang up';
    at('call-close').hidden = !ended;
    at('call-go').hidden = !ended && phase !== 'incoming';
    at('call-go-text').textContent = ended ? 'Call again' : 'Answer';
  }

  const noteOf = ({ microphone, muted }) => (microphone === 'on' && muted ? 'You are muted.' : NOTES[microphone]);

  function drawTime() {
    const { phase, answeredAt, seconds } = shown;
    const over = phase === 'ended';
    const lasted = over ? seconds : answeredAt === null ? null : Math.floor((performance.now() - answeredAt) / 1000);
    at('call-time').hidden = lasted === null;
    setText(at('call-time'), lasted === null ? '' : clock(lasted));
    clearTimeout(ticking);
    if (phase === 'talking') ticking = setTimeout(drawTime, 250);
  }

  /** Touches only what is new: a screen reader reads each line once. */
  function drawWords(words) {
    const list = at('words');
    const known = new Map([...list.children].map((line) => [Number(line.dataset.id), line]));
    for (const one of words) {
      const line = known.get(one.id) ?? list.appendChild(wordNode(one));
      line.classList.toggle('pending', one.pending === true);
      known.delete(one.id);
    }
    for (const line of known.values()) line.remove();
    list.scrollTop = list.scrollHeight;
  }

  // Opening, closing, focus

  function open() {
    before = document.activeElement;
    at('call').hidden = false;
    for (const other of others) other.inert = true;
  }

  function close() {
    at('call').hidden = true;
    for (const other of others) other.inert = false;
    if (before?.isConnected && before !== document.body) before.focus();
    else at('dial').focus();
    before = null;
  }

  /** The focus comes to the sheet when it opens, and stays on it when the button that had it goes away. */
  function settleFocus(opened) {
    const focused = document.activeElement;
    const lost = !at('call').contains(focused) || focused.disabled || !focused.checkVisibility();
    if (opened || lost) at('call-who').focus();
  }

  // Keypad

  const keypadOpen = () => !at('keypad').hidden;

  function showKeypad(wanted) {
    at('keypad').hidden = !wanted;
    at('words').hidden = wanted || shown.words.length === 0;
    at('call-keypad').setAttribute('aria-expanded', String(wanted));
  }

  at('keys').append(...KEYS.map(([digit, letters]) => {
    const key = document.createElement('button');
    key.type = 'button';
    key.className = 'key';
    key.dataset.digit = digit;
    key.setAttribute('aria-label', NAMES[digit] ?? digit);
    const face = Object.assign(document.createElement('span'), { textContent: digit });
    const small = Object.assign(document.createElement('small'), { textContent: letters });
    key.append(face, small);
    key.addEventListener('click', () => calls.press(digit));
    return key;
  }));
  at('call-keypad').addEventListener('click', () => showKeypad(!keypadOpen()));

  at('call').addEventListener('keydown', (event) => {
    // Escape never hangs up: it only puts away what is in front.
    if (event.key === 'Escape') {
      event.stopPropagation();
      if (keypadOpen()) {
        showKeypad(false);
        at('call-keypad').focus();
      } else {
        calls.close();
      }
      return;
    }
    if (!keypadOpen() || event.target.closest('input') || event.ctrlKey || event.metaKey || event.altKey) return;
    if (KEYS.some(([digit]) => digit === event.key)) calls.press(event.key);
  });

  // Buttons

  at('call-mute').addEventListener('click', () => calls.mute());
  at('call-end').addEventListener('click', () => calls.hangUp());
  at('call-close').addEventListener('click', () => calls.close());
  at('call-go').addEventListener('click', () => (shown.phase === 'incoming' ? calls.answer() : calls.dial(shown.peer)));
  const text = at('say-text');
  text.addEventListener('input', () => { at('say-send').disabled = text.value.trim() === ''; });
  at('say').addEventListener('submit', (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (!words || !calls.say(words)) return;
    text.value = '';
    at('say-send').disabled = true;
    text.focus();
  });
  for (const gesture of ['pointerdown', 'keydown']) {
    addEventListener(gesture, () => shown.phase === 'incoming' && calls.wake());
  }

  return {
    draw,
    levels({ mine, theirs }) {
      const now = performance.now();
      const read = now - levelsReadAt > READ_LEVELS_EVERY_MS;
      if (read) levelsReadAt = now;
      for (const [id, level] of [['meter-mine', mine], ['meter-theirs', theirs]]) {
        const meter = at(id);
        const shown = Math.max(FLOOR_DB, Math.min(0, level));
        meter.firstElementChild.style.transform = `scaleX(${(1 - shown / FLOOR_DB).toFixed(3)})`;
        if (read) meter.setAttribute('aria-valuenow', String(Math.round(shown)));
      }
    },
  };
}

function wordNode({ id, who, text, key }) {
  const line = document.createElement('p');
  line.className = `word by-${who}`;
  line.classList.toggle('key', key === true);
  line.dataset.id = id;
  const name = Object.assign(document.createElement('span'), { className: 'word-who', textContent: who === 'me' ? 'You' : 'They' });
  line.append(name, ' ', Object.assign(document.createElement('bdi'), { textContent: text }));
  return line;
}

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

/** Seconds as `0:07`, `12:05` or `1:00:00`. */
function clock(seconds) {
  const two = (value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
