// Both directions of a call on the audio thread: the microphone at the device's rate becomes μ-law at 8 kHz, and back.

import { FRAME, createJitterBuffer } from './jitter.js';
import { SILENCE, decode, encode } from './mulaw.js';
import { createResampler } from './resample.js';

const LINE_RATE = 8000;
/** Samples that the browser asks for at a time. A browser that asks for more is served in parts. */
const BLOCK = 128;
/** How often the levels are told. */
const LEVEL_EVERY_MS = 50;

/** The loudness of what came since the last question, in dB below full scale; silence is -100. */
function createMeter() {
  let sum = 0;
  let count = 0;
  return {
    add(samples, length) {
      for (let index = 0; index < length; index += 1) sum += samples[index] * samples[index];
      count += length;
    },
    read() {
      const level = count === 0 || sum === 0 ? -100 : Math.max(-100, 10 * Math.log10(sum / count));
      sum = 0;
      count = 0;
      return level;
    },
  };
}

class Voice extends AudioWorkletProcessor {
  constructor() {
    super();
    const rate = Math.round(sampleRate);
    this.down = createResampler(rate, LINE_RATE, BLOCK);
    this.up = createResampler(LINE_RATE, rate, FRAME);
    this.narrow = new Float32Array(this.down.room);
    this.wide = new Float32Array(this.up.room + 2 * BLOCK);
    this.ready = 0; // Samples of `wide` that wait to be played.
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
    this.silence = new Float32Array(BLOCK);
    this.decoded = new Float32Array(FRAME);
    this.jitter = createJitterBuffer();
    this.meters = { mine: createMeter(), theirs: createMeter() };
    this.untold = 0;
    this.sending = false;
    this.muted = false;
    this.over = false;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told(data) {
    if (data instanceof ArrayBuffer) {
      if (data.byteLength === FRAME) this.jitter.push(Float32Array.from(new Uint8Array(data), (code) => decode(code) / 32_768));
      return;
    }
    if ('sending' in data) this.sending = data.sending;
    if ('muted' in data) this.muted = data.muted;
    if ('over' in data) this.over = true;
  }

  process([input], [output]) {
    if (this.over) return false;
    const loudspeaker = output[0];
    const microphone = input[0] ?? null;
    for (let at = 0; at < loudspeaker.length; at += BLOCK) {
      const end = Math.min(at + BLOCK, loudspeaker.length);
      if (this.sending) this.capture(microphone ? microphone.subarray(at, end) : this.silence.subarray(0, end - at));
      this.play(loudspeaker.subarray(at, end));
    }
    this.untold += loudspeaker.length;
    if (this.untold >= (sampleRate * LEVEL_EVERY_MS) / 1000) {
      this.untold = 0;
      this.port.postMessage({ mine: this.meters.mine.read(), theirs: this.meters.theirs.read() });
    }
    return true;
  }

  capture(block) {
    const count = this.down.process(block, this.narrow);
    if (!this.muted) this.meters.mine.add(this.narrow, count);
    for (let index = 0; index < count; index += 1) {
      const sample = Math.max(-1, Math.min(1, this.narrow[index])) * 32_767;
      this.frame[this.filled] = this.muted ? SILENCE : encode(Math.round(sample));
      this.filled += 1;
      if (this.filled < FRAME) continue;
      this.filled = 0;
      const whole = this.frame.slice().buffer;
      this.port.postMessage(whole, [whole]);
    }
  }

  play(block) {
    while (this.ready < block.length) {
      if (this.jitter.pull(this.decoded)) this.meters.theirs.add(this.decoded, FRAME);
      else this.decoded.fill(0);
      this.ready += this.up.process(this.decoded, this.wide.subarray(this.ready));
    }
    block.set(this.wide.subarray(0, block.length));
    this.wide.copyWithin(0, block.length, this.ready);
    this.ready -= block.length;
  }
}

registerProcessor('voice', Voice);
