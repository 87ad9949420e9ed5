// One sampling rate into another, as a stream: a windowed sinc, so that nothing folds back over half the lower rate.

/** Zero crossings of the sinc on each side: the filter's delay is this many samples of the lower rate (3 ms at 8 kHz). */
const ZERO_CROSSINGS = 24;
/** Where the filter is down by half, as a share of half the lower rate: with the window it is closed at 1. */
const CUT_OFF = 0.88;
/** Kaiser's window with about 80 dB of attenuation. */
const BETA = 8;

/**
 * A stream from rate `from` to rate `to`, in Hz; both are whole numbers. `most` is the longest block that will come.
 * `process(input, output)` fills `output` and says how many samples it wrote; `room` is how many there may be.
 */
export function createResampler(from, to, most) {
  if (from === to) {
    return {
      room: most,
      process(input, output) {
        output.set(input);
        return input.length;
      },
    };
  }
  const divisor = gcd(from, to);
  const phases = to / divisor;
  const step = from / divisor;
  const lower = Math.min(from, to);
  const half = Math.ceil((ZERO_CROSSINGS * from) / lower);
  const taps = 2 * half;
  const banks = filters(phases, half, (CUT_OFF * lower) / from);
  const held = new Float32Array(taps + most);
  let count = taps - 1; // Silence came before the first sample.
  let phase = 0;
  let start = 0;

  return {
    room: Math.ceil((most * phases) / step) + 1,
    process(input, output) {
      held.set(input, count);
      count += input.length;
      let written = 0;
      while (start + taps <= count) {
        const bank = banks[phase];
        let sum = 0;
        for (let tap = 0; tap < taps; tap += 1) sum += held[start + tap] * bank[tap];
        output[written] = sum;
        written += 1;
        phase += step;
        start += Math.floor(phase / phases);
        phase %= phases;
      }
      // A step may lie beyond what has come; what is left of it is for the next block.
      const used = Math.min(start, count);
      held.copyWithin(0, used, count);
      count -= used;
      start -= used;
      return written;
    },
  };
}

/** The filter of each phase. Each has a gain of one at 0 Hz, so that a level stays what it was. */
function filters(phases, half, width) {
  return Array.from({ length: phases }, (_, phase) => {
    const bank = Float32Array.from({ length: 2 * half }, (_, tap) => {
      const at = tap - (half - 1) - phase / phases;
      const edge = at / half;
      return Math.abs(edge) >= 1 ? 0 : sinc(at * width) * bessel(BETA * Math.sqrt(1 - edge * edge));
    });
    const gain = bank.reduce((sum, value) => sum + value, 0);
    return bank.map((value) => value / gain);
  });
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** The modified Bessel function of order zero, by its series. */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * 1e-9; n += 1) {
    term *= (x / (2 * n)) ** 2;
    sum += term;
  }
  return sum;
}

const gcd = (one, other) => (other === 0 ? one : gcd(other, one % other));
