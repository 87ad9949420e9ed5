// G.711 μ-law: 16-bit samples as bytes and back. Pure functions, no DOM. Source: ITU-T G.711 (11/88), tables 2a and 2b.

/** What a silent line carries. */
export const SILENCE = 0xff;

const BIAS = 0x84;
const CLIP = 32_635;

/** The byte of a sample in -32768..32767; what is louder than μ-law reaches is clipped. */
export function encode(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS;
  const exponent = 24 - Math.clz32(magnitude);
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** The sample of a byte, in -32124..32124. */
export const decode = (code) => SAMPLES[code & 0xff];

const SAMPLES = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code;
  const magnitude = ((((bits & 0x0f) << 3) + BIAS) << ((bits >> 4) & 0x07)) - BIAS;
  return bits & 0x80 ? -magnitude : magnitude;
});
