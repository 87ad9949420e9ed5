// Who answers in the open conversation: an agent, or whoever sits here. Taking over, writing, and giving back.

import { at, make, setText } from './dom.js';

/**
 * `order(id, what, body)` has something done: `hand-over`, `resume`, `agent` {agent} or `messages` {text}; `fetchAgents()`
 * lists the agents; `fetchOne(id)` reads a conversation; `onError` is told when one of them cannot.
 */
export function createCare(order, fetchAgents, fetchOne, onError) {
  const bar = at('care');
  const form = at('care-say');
  const choice = at('care-agent');
  let conversation = null;
  let agents = [];
  let draft = null;

  async function open(newId) {
    if (conversation?.id !== newId) {
      conversation = null;
      bar.hidden = true;
      at('care-trouble').textContent = '';
      form.reset();
      draft = null;
    }
    if (newId === null) return;
    const [known, one] = await Promise.all([fetchAgents(), fetchOne(newId)]);
    agents = known.agents ?? [];
    describe(one);
  }

  /** What is known of the open conversation, again. */
  function describe(newOne) {
    conversation = newOne ?? null;
    draw();
  }

  function draw() {
    const known = conversation !== null && conversation.state !== 'closed' && agents.length > 0;
    bar.hidden = !known;
    if (!known) return;
    const ours = Boolean(conversation.handed_over_at);
    const waiting = Number(conversation.pending) || 0;
    setText(at('care-who'), ours ? (waiting === 1 ? '1 text waits for you' : waiting > 1 ? `${waiting} texts wait for you` : 'You answer here') : 'An agent answers here');
    bar.classList.toggle('ours', ours);
    form.hidden = !ours;
    setText(at('care-switch'), ours ? 'Give back to the agent' : 'Take over');
    choice.hidden = agents.length < 2 || ours;
    if (choice.childElementCount !== agents.length + 1) {
      const option = (value, text) => Object.assign(make('option', '', text), { value });
      choice.replaceChildren(option('', 'Agent by route'), ...agents.map((name) => option(name, name)));
    }
    choice.value = conversation.agent ?? '';
  }

  async function act(button, what, body) {
    const wanted = conversation?.id;
    if (!wanted || button.disabled) return false;
    button.disabled = true;
    at('care-trouble').textContent = '';
    try {
      const changed = await order(wanted, what, body);
      if (conversation?.id === wanted && changed.id === wanted) describe(changed);
      return true;
    } catch (error) {
      if (conversation?.id === wanted) at('care-trouble').textContent = error.message;
      onError(error);
      return false;
    } finally {
      button.disabled = false;
    }
  }

  at('care-switch').addEventListener('click', (event) => {
    act(event.currentTarget, conversation?.handed_over_at ? 'resume' : 'hand-over');
  });
  choice.addEventListener('change', () => act(choice, 'agent', { agent: choice.value || null }));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = form.elements.text.value.trim();
    // The same words again, because the answer to the request was lost, are the same message.
    if (draft?.text !== text) draft = { text, id: [...crypto.getRandomValues(new Uint8Array(16))].join('.') };
    if (text && (await act(form.querySelector('button'), 'messages', draft))) {
      form.reset();
      draft = null;
    }
  });

  return { open, describe };
}
