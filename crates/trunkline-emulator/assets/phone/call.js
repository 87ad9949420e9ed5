// The one call a phone can be in: what the line says and what the person does, as phases.
//
// idle → connecting → ringing → talking → ending → ended, or incoming → answering → talking; each may become lost.

import { openLine } from './call-line.js';
import { openVoice } from './voice.js';

/** How long the emulator has to confirm a hang-up before the page believes it without. */
const ENDING_MS = 3000;
/** How long after a reconnection the emulator has to speak of a call, or the call is over. */
const RESUME_MS = 2000;
const MAX_WORDS = 200;
/** Pressed keys that are kept, to be shown. */
const MAX_DIGITS = 20;

const IDLE = {
  phase: 'idle', id: null, peer: null, outgoing: true, answeredAt: null, seconds: null, reason: '', trouble: '',
  microphone: 'asking', muted: false, words: [], digits: '',
};

const OVER = new Set(['idle', 'ended']);
const REASONS = {
  busy: 'Busy', 'no-answer': 'No answer', failed: 'The call failed', canceled: 'Cancelled', completed: 'Call ended',
};

/**
 * `on.changed(call)` is told of every change, `on.levels(levels)` of loudness, `on.line(state, retry)` of the line:
 * `up`, `down` or `taken`.
 */
export function createCalls(on) {
  let call = { ...IDLE };
  let number = null;
  let line = null;
  let voice = null;
  let timer = 0;
  let spoken = 0;

  const set = (changes) => {
    call = { ...call, ...changes };
    on.changed(call);
  };

  function become(newNumber) {
    if (newNumber === number) return;
    if (!OVER.has(call.phase)) finish('You became another number');
    line?.close();
    number = newNumber;
    set({ ...IDLE });
    on.line('down', () => {});
    line = openLine(number, {
      up: lineUp,
      down: (retry) => lineGone('down', retry),
      taken: (retry) => lineGone('taken', retry),
      told,
      frame: (frame) => call.phase === 'talking' && voice?.play(frame),
    });
  }

  // The line

  function lineUp() {
    on.line('up', () => {});
    if (call.phase !== 'lost') return;
    clearTimeout(timer);
    timer = setTimeout(() => finish('The line was lost'), RESUME_MS);
  }

  function lineGone(state, retry) {
    on.line(state, retry);
    clearTimeout(timer);
    if (state === 'taken' && !OVER.has(call.phase)) finish('This number was opened in another tab');
    else if (call.phase === 'ending') finish(call.reason);
    else if (!OVER.has(call.phase)) {
      voice?.tones.stop();
      set({ phase: 'lost' });
    }
  }

  function told(message) {
    const strange = call.id !== null && message.call !== undefined && message.call !== call.id;
    switch (message.type) {
      case 'incoming':
        if (OVER.has(call.phase)) ring(message);
        else if (call.phase === 'lost' && !strange) {
          resume('incoming');
          voice?.tones.ring();
        }
        break;
      case 'ringing':
        if (!strange && (call.phase === 'connecting' || call.phase === 'lost')) {
          resume('ringing', message.call);
          voice?.tones.ringBack();
        }
        break;
      case 'answered':
        if (!strange && !OVER.has(call.phase) && call.phase !== 'ending') answered(message.call);
        break;
      case 'ended':
        if (!strange && !OVER.has(call.phase)) finish(reason(message), message.duration);
        break;
      case 'said':
        heard(message);
        break;
      case 'digit':
        word({ who: 'far', text: `Key ${message.digit}`, key: true });
        break;
      case 'error':
        if (call.phase === 'connecting') finish(String(message.message ?? 'The call failed'));
        else if (!OVER.has(call.phase)) set({ trouble: String(message.message ?? '') });
        break;
      default: // A newer emulator may say more.
    }
  }

  function resume(phase, id = call.id) {
    clearTimeout(timer);
    set({ phase, id: id ?? call.id });
  }

  function ring(message) {
    set({ ...IDLE, phase: 'incoming', id: message.call ?? null, peer: message.from ?? null, outgoing: false });
    sound();
    voice.wake();
    voice.tones.ring();
  }

  function answered(id) {
    voice?.tones.stop();
    voice?.listen();
    set({ answeredAt: call.answeredAt ?? performance.now(), trouble: '' });
    resume('talking', id);
  }

  function reason({ status, duration }) {
    if (call.phase === 'ending' && call.reason) return call.reason;
    if (!call.outgoing && call.answeredAt === null && status !== 'failed') return 'Missed call';
    return REASONS[status] ?? (duration > 0 ? 'Call ended' : 'The call is over');
  }

  function heard(message) {
    const text = String(message.text ?? '');
    const caller = message.who === 'caller' || message.who === 'me';
    const pending = caller ? call.words.findIndex((one) => one.pending && one.text === text) : -1;
    if (pending < 0) word({ who: caller ? 'me' : 'far', text });
    else set({ words: call.words.map((one, index) => (index === pending ? { ...one, pending: false } : one)) });
  }

  const word = (one) => {
    spoken += 1;
    if (!OVER.has(call.phase)) set({ words: [...call.words, { ...one, id: spoken }].slice(-MAX_WORDS) });
  };

  // The person

  function sound() {
    voice?.close();
    voice = openVoice({
      microphone: (microphone) => set({ microphone }),
      frame: (frame) => call.phase === 'talking' && line.speak(frame),
      levels: on.levels,
    });
  }

  function dial(to) {
    if (!to || !OVER.has(call.phase) || !line.tell({ type: 'dial', to })) return;
    set({ ...IDLE, phase: 'connecting', peer: to });
    sound();
    voice.wake();
    voice.listen();
  }

  function answer() {
    if (call.phase !== 'incoming' || !line.tell({ type: 'answer' })) return;
    voice.wake();
    voice.tones.stop();
    voice.listen();
    set({ phase: 'answering' });
  }

  function hangUp() {
    if (call.phase === 'lost') return finish('The line was lost');
    if (OVER.has(call.phase) || call.phase === 'ending') return;
    const declined = call.phase === 'incoming';
    line.tell({ type: declined ? 'reject' : 'hang_up' });
    silence();
    set({ phase: 'ending', reason: declined ? 'Declined' : call.answeredAt === null ? 'Cancelled' : 'You hung up' });
    timer = setTimeout(() => finish(call.reason), ENDING_MS);
  }

  function finish(why, duration) {
    silence();
    const lasted = call.answeredAt === null ? null : Math.floor((performance.now() - call.answeredAt) / 1000);
    const seconds = call.answeredAt !== null && Number.isFinite(duration) ? duration : lasted;
    set({ phase: 'ended', reason: why, seconds });
  }

  function silence() {
    clearTimeout(timer);
    voice?.close();
    voice = null;
  }

  return {
    become,
    dial,
    answer,
    hangUp,
    /** A gesture: sound that the browser held back may begin. */
    wake: () => voice?.wake(),
    close: () => OVER.has(call.phase) && set({ ...IDLE }),
    mute() {
      set({ muted: !call.muted });
      voice?.mute(call.muted);
    },
    press(digit) {
      if (call.phase !== 'talking' || !line.tell({ type: 'digit', digit })) return;
      voice?.tones.digit(digit);
      set({ digits: (call.digits + digit).slice(-MAX_DIGITS) });
    },
    /** Has `text` spoken for the person; false when it cannot be. */
    say(text) {
      if (call.phase !== 'talking' || !line.tell({ type: 'say', text })) return false;
      word({ who: 'me', text, pending: true });
      return true;
    },
  };
}
