// What may be done in a call that goes on: say something, press keys, hold, hand on, hang up.

import { at, setText } from './dom.js';

/** What each form sends: the order, its body, and what is announced. */
const FORMS = {
  'call-say': { order: 'say', body: (text) => ({ text }), done: 'The words are being said' },
  'call-digits': { order: 'digits', body: (digits) => ({ digits }), done: 'The keys are being pressed' },
  'call-transfer': {
    order: 'transfer',
    body: (to) => ({ to, briefing: at('call-briefing').value.trim() || undefined }),
    done: 'The caller is being connected',
  },
};

/** `order(what, body)` has something done in the call that is open; `onError` is told of what failed. */
export function createCallControls(order, onError) {
  let shown = null;
  let held = false;

  /** The call `id` is shown: whether it goes on, and who has the floor. */
  function show(id, going, machine) {
    if (id !== shown) {
      shown = id;
      for (const form of Object.keys(FORMS)) at(form).reset();
      at('call-more').open = false;
      tell('');
    }
    held = machine === 'on_hold';
    at('call-hang-up').hidden = !going;
    at('call-controls').hidden = !going;
    setText(at('call-hold'), held ? 'Take back' : 'Hold');
    // Who is on hold hears nothing of ours.
    for (const form of ['call-say', 'call-digits']) for (const field of at(form).elements) field.disabled = held;
    at('call-held').hidden = !held;
  }

  async function have(what, body, done, buttons) {
    for (const button of buttons) button.disabled = true;
    try {
      await order(what, body);
      at('announce').textContent = done;
      tell('');
      return true;
    } catch (error) {
      tell(error.message);
      onError(error);
      return false;
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  function tell(trouble) {
    setText(at('call-trouble'), trouble);
  }

  for (const [name, { order: what, body, done }] of Object.entries(FORMS)) {
    const form = at(name);
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const field = form.elements[0];
      const text = field.value.trim();
      if (!text) return field.focus();
      const was = shown;
      if (await have(what, body(text), done, [form.querySelector('button')]) && was === shown) form.reset();
    });
  }
  at('call-hold').addEventListener('click', () =>
    have(held ? 'resume' : 'hold', {}, held ? 'The caller is being taken back' : 'The caller is being put on hold', [at('call-hold')]));
  at('call-hang-up').addEventListener('click', () =>
    have('hang_up', {}, 'The call is being ended', [at('call-hang-up')]));

  return { show };
}
