// The sound of one call: microphone and loudspeaker through the worklet, the tones, and an end that releases it all.
// Nothing is recorded.

import { createTones } from './tones.js';

const MICROPHONE = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
};

/**
 * Opens the sound; call it when a person asked for it, or browsers keep it silent. It never fails: without a microphone,
 * or without any sound, a call is still a call.
 *
 * `on.microphone(state)` tells `asking`, `on`, `denied`, `missing` or `silent` (no sound at all here); `on.frame(buffer)`
 * gives 20 ms of μ-law; `on.levels({ mine, theirs })` tells dB below full scale, twenty times a second.
 */
export function openVoice(on) {
  // Browsers give sound to pages of this machine and to https only.
  if (!globalThis.AudioWorkletNode) {
    on.microphone('silent');
    return NO_VOICE;
  }
  const context = new AudioContext({ latencyHint: 'interactive' });
  const tones = createTones(context);
  let node = null;
  let stream = null;
  let asked = false;
  let muted = false;
  let closed = false;

  const loaded = context.audioWorklet.addModule('/phone/voice-worklet.js').then(() => {
    if (closed) return;
    node = new AudioWorkletNode(context, 'voice', {
      numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [1],
      channelCount: 1, channelCountMode: 'explicit', channelInterpretation: 'speakers',
    });
    node.port.onmessage = ({ data }) => (data instanceof ArrayBuffer ? on.frame(data) : on.levels(data));
    node.port.postMessage({ muted });
    node.connect(context.destination);
  });
  loaded.catch(() => !closed && on.microphone('silent'));

  /** Asks for the microphone, once. */
  async function listen() {
    if (asked) return;
    asked = true;
    try {
      await loaded;
    } catch {
      return; // Without the worklet there is no sound either way, and that was said.
    }
    if (closed) return;
    on.microphone('asking');
    try {
      const given = await navigator.mediaDevices.getUserMedia(MICROPHONE);
      stream = given;
      if (closed) return release();
      given.getAudioTracks()[0].addEventListener('ended', () => lost('missing'));
      context.createMediaStreamSource(given).connect(node);
      node.port.postMessage({ sending: true });
      on.microphone('on');
    } catch (error) {
      release();
      lost(error?.name === 'NotAllowedError' || error?.name === 'SecurityError' ? 'denied' : 'missing');
    }
  }

  function lost(state) {
    node?.port.postMessage({ sending: false });
    if (!closed) on.microphone(state);
  }

  function release() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
  }

  return {
    tones,
    listen,
    /** Browsers start sound after a gesture; this is called in one. */
    wake: () => context.resume().catch(() => {}),
    play: (frame) => node?.port.postMessage(frame, [frame]),
    mute(value) {
      muted = value;
      node?.port.postMessage({ muted });
    },
    close() {
      if (closed) return;
      closed = true;
      tones.stop();
      release();
      node?.port.postMessage({ over: true });
      node?.disconnect();
      node?.port.close();
      context.close().catch(() => {});
    },
  };
}

const nothing = () => {};
const NO_VOICE = {
  tones: { ring: nothing, ringBack: nothing, digit: nothing, stop: nothing },
  listen: nothing, wake: nothing, play: nothing, mute: nothing, close: nothing,
};
