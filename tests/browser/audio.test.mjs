// What the phone page does to sound, without a browser: μ-law, resampling, the jitter buffer.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { phoneModule } from './support/asset.mjs';

const { SILENCE, decode, encode } = await phoneModule('mulaw.js');
const { createResampler } = await phoneModule('resample.js');
const { FRAME, JITTER_MAX_MS, JITTER_TARGET_MS, createJitterBuffer } = await phoneModule('jitter.js');

/** The values of codes 0x80 to 0xff, from ITU-T G.711; those of 0x00 to 0x7f are the same below zero. */
const POSITIVE = [
  32124, 31100, 30076, 29052, 28028, 27004, 25980, 24956, 23932, 22908, 21884, 20860, 19836, 18812, 17788, 16764,
  15996, 15484, 14972, 14460, 13948, 13436, 12924, 12412, 11900, 11388, 10876, 10364, 9852, 9340, 8828, 8316,
  7932, 7676, 7420, 7164, 6908, 6652, 6396, 6140, 5884, 5628, 5372, 5116, 4860, 4604, 4348, 4092,
  3900, 3772, 3644, 3516, 3388, 3260, 3132, 3004, 2876, 2748, 2620, 2492, 2364, 2236, 2108, 1980,
  1884, 1820, 1756, 1692, 1628, 1564, 1500, 1436, 1372, 1308, 1244, 1180, 1116, 1052, 988, 924,
  876, 844, 812, 780, 748, 716, 684, 652, 620, 588, 556, 524, 492, 460, 428, 396,
  372, 356, 340, 324, 308, 292, 276, 260, 244, 228, 212, 196, 180, 164, 148, 132,
  120, 112, 104, 96, 88, 80, 72, 64, 56, 48, 40, 32, 24, 16, 8, 0,
];

test('each of the 256 codes of μ-law has its value, and each value its code', () => {
  for (let code = 0; code < 256; code += 1) {
    const value = code < 128 ? 0 - POSITIVE[code] : POSITIVE[code - 128];
    assert.equal(decode(code), value, `code ${code}`);
    // There are two zeros; a sample of zero is the positive one.
    assert.equal(encode(value), code === 0x7f ? 0xff : code, `value ${value}`);
  }
  assert.equal(decode(SILENCE), 0);
});

test('a sample is off by half a step of its segment at most, and the loudest ones are clipped', () => {
  for (let sample = -32_635; sample <= 32_635; sample += 1) {
    const code = encode(sample);
    const step = 8 << ((~code >> 4) & 0x07);
    assert.ok(Math.abs(decode(code) - sample) <= step / 2, `sample ${sample}`);
  }
  assert.equal(encode(-32_768), 0x00);
  assert.equal(encode(32_767), 0x80);
});

/** A second of a sine of `hz` at rate `from`, resampled in blocks of `block`. */
function resampled(from, to, hz, block = 128) {
  const resampler = createResampler(from, to, block);
  const room = new Float32Array(resampler.room);
  const out = [];
  for (let at = 0; at < from; at += block) {
    const input = Float32Array.from({ length: Math.min(block, from - at) }, (_, index) => Math.sin((2 * Math.PI * hz * (at + index)) / from));
    const count = resampler.process(input, room);
    out.push(...room.subarray(0, count));
  }
  return out;
}

/** The loudness in dB against a full sine, without the beginning, where the filter fills. */
function level(samples) {
  const settled = samples.slice(Math.floor(samples.length / 10));
  return 10 * Math.log10((2 * settled.reduce((sum, value) => sum + value * value, 0)) / settled.length);
}

for (const rate of [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]) {
  test(`speech passes from ${rate} Hz to the line and back at its level`, () => {
    for (const hz of [200, 1000, 2500]) {
      const down = resampled(rate, 8000, hz);
      assert.ok(Math.abs(down.length - 8000) <= 26, `${down.length} samples of a second`);
      assert.ok(Math.abs(level(down)) < 0.1, `${hz} Hz down: ${level(down)} dB`);
      const up = resampled(8000, rate, hz, 160);
      assert.ok(Math.abs(up.length - rate) <= (26 * rate) / 8000, `${up.length} samples of a second`);
      assert.ok(Math.abs(level(up)) < 0.1, `${hz} Hz up: ${level(up)} dB`);
    }
  });
}

test('what the line cannot carry is taken away, and does not fold back', () => {
  for (const rate of [16_000, 44_100, 48_000]) {
    for (const hz of [4200, 5000, 7000]) assert.ok(level(resampled(rate, 8000, hz)) < -60, `${hz} Hz of ${rate}`);
  }
});

test('blocks of any size give the same stream', () => {
  const whole = resampled(44_100, 8000, 700, 44_100);
  for (const block of [1, 100, 128, 441]) assert.deepEqual(resampled(44_100, 8000, 700, block), whole);
});

test('the jitter buffer waits, plays in order, and never holds more than its limit', () => {
  const buffer = createJitterBuffer();
  const frame = (value) => new Float32Array(FRAME).fill(value);
  const played = new Float32Array(FRAME);
  const target = JITTER_TARGET_MS / 20;
  for (let index = 1; index < target; index += 1) {
    buffer.push(frame(index));
    assert.equal(buffer.pull(played), false, 'it plays too early');
  }
  buffer.push(frame(target));
  for (let index = 1; index <= target; index += 1) {
    assert.equal(buffer.pull(played), true);
    assert.equal(played[0], index);
  }
  assert.equal(buffer.pull(played), false, 'it ran dry');
  buffer.push(frame(9));
  assert.equal(buffer.pull(played), false, 'it waits again after it ran dry');

  for (let index = 10; index < 1000; index += 1) {
    buffer.push(frame(index));
    assert.ok(buffer.held() <= JITTER_MAX_MS / 20);
  }
  assert.ok(buffer.dropped() > 900);
  assert.equal(buffer.pull(played), true);
  assert.ok(played[0] > 990, 'the newest are kept');
});
