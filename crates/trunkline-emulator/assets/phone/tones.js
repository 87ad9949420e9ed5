// The tones of a telephone: the bell, what the caller hears while it rings, and the keys.

const LOUDNESS = 0.12;
const KEY_SECONDS = 0.14;
/** So that a tone does not click at its edges. */
const EDGE_SECONDS = 0.008;
// DTMF, ITU-T Q.23: a row and a column for each key.
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = '123456789*0#';

/** One period of the bell: two short trills, then quiet. */
const BELL = { frequencies: [784, 988], beats: [[0, 0.4], [0.6, 1]], seconds: 3, trillHz: 20 };
/** What a caller hears in North America: two seconds of tone, four of quiet. */
const RING_BACK = { frequencies: [440, 480], beats: [[0, 2]], seconds: 6, trillHz: 0 };

export function createTones(context) {
  let playing = null;

  function stop() {
    playing?.stop();
    playing?.disconnect();
    playing = null;
  }

  function repeat(cadence) {
    stop();
    playing = new AudioBufferSourceNode(context, { buffer: render(context, cadence), loop: true });
    playing.connect(context.destination);
    playing.start();
  }

  return {
    ring: () => repeat(BELL),
    ringBack: () => repeat(RING_BACK),
    stop,
    /** The sound of a key, for whoever pressed it. */
    digit(digit) {
      const index = KEYS.indexOf(digit);
      if (index < 0 || digit.length !== 1) return;
      const now = context.currentTime;
      const volume = new GainNode(context, { gain: 0 });
      volume.gain.linearRampToValueAtTime(LOUDNESS, now + EDGE_SECONDS);
      volume.gain.setValueAtTime(LOUDNESS, now + KEY_SECONDS - EDGE_SECONDS);
      volume.gain.linearRampToValueAtTime(0, now + KEY_SECONDS);
      volume.connect(context.destination);
      for (const frequency of [ROWS[Math.floor(index / 3)], COLUMNS[index % 3]]) {
        const oscillator = new OscillatorNode(context, { frequency });
        oscillator.connect(volume);
        oscillator.start(now);
        oscillator.stop(now + KEY_SECONDS);
        oscillator.addEventListener('ended', () => volume.disconnect());
      }
    },
  };
}

function render(context, { frequencies, beats, seconds, trillHz }) {
  const rate = context.sampleRate;
  const buffer = new AudioBuffer({ length: Math.round(seconds * rate), sampleRate: rate });
  const samples = buffer.getChannelData(0);
  for (const [from, to] of beats) {
    for (let index = Math.round(from * rate); index < Math.round(to * rate); index += 1) {
      const at = index / rate;
      const edge = Math.min(1, (at - from) / EDGE_SECONDS, (to - at) / EDGE_SECONDS);
      const trill = trillHz ? 0.6 + 0.4 * Math.sin(2 * Math.PI * trillHz * at) : 1;
      const tone = frequencies.reduce((sum, frequency) => sum + Math.sin(2 * Math.PI * frequency * at), 0);
      samples[index] = (LOUDNESS * edge * trill * tone) / frequencies.length;
    }
  }
  return buffer;
}
