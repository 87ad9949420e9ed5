// How this phone takes messages, and word that they were read.

import { Refused, markRead, messages, receiving, setReceiving } from './line.js';

/** `parts` are the page's elements; `address()` is who the phone is. */
export function createReceiving(parts, address) {
  async function attempt(work) {
    parts.error.textContent = '';
    try {
      await work();
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      parts.error.textContent = problem.message;
    }
  }

  /** Shows the rule of whoever the phone is now. */
  const refresh = () => attempt(async () => {
    const mine = address();
    const { rule } = await receiving(mine);
    if (mine === address()) parts.rule.value = rule;
  });

  parts.rule.addEventListener('change', () => attempt(() => setReceiving(address(), parts.rule.value)));
  parts.read.addEventListener('click', () => attempt(async () => {
    const mine = address();
    const unread = (await messages(mine)).filter((one) => one.direction === 'received' && one.status === 'delivered');
    for (const one of unread) await markRead(mine, one.message_sid);
  }));

  return { refresh };
}
