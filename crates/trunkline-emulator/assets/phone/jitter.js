// The jitter buffer: frames come in bursts and are played evenly. Pure, no DOM.

/** Samples of one frame: 20 ms at 8 kHz. */
export const FRAME = 160;
const FRAME_MS = 20;
/** Nothing is played before this much is held, at the beginning and after the buffer ran dry. */
export const JITTER_TARGET_MS = 80;
/** When more than this is held, the oldest goes until only the target is left. */
export const JITTER_MAX_MS = 120;

const TARGET = JITTER_TARGET_MS / FRAME_MS;
const MOST = JITTER_MAX_MS / FRAME_MS;

/** `push(frame)` takes a frame, `pull(into)` copies the next one and says whether there was one; if not, play silence. */
export function createJitterBuffer() {
  const frames = [];
  let playing = false;
  let dropped = 0;
  return {
    push(frame) {
      frames.push(frame);
      if (frames.length <= MOST) return;
      dropped += frames.length - TARGET;
      frames.splice(0, frames.length - TARGET);
    },
    pull(into) {
      if (!playing && frames.length >= TARGET) playing = true;
      if (frames.length === 0) playing = false;
      if (!playing) return false;
      into.set(frames.shift());
      return true;
    },
    /** How many frames are waiting. */
    held: () => frames.length,
    /** How many frames were never played because too many waited. */
    dropped: () => dropped,
  };
}
