// Who is in the open conversation, which agent answers there, and its end.

import { at, make, setText } from './dom.js';
import { dateOf, showAddress, showChannel, showDay, showTime } from './text.js';

/** `fetchOne(id)` reads a conversation whole; `close(id)` ends it; `onError` is told when either cannot. */
export function createPeople(fetchOne, close, onError) {
  const panel = at('people');
  const button = at('people-close');
  let id = null;

  async function open(newId) {
    if (newId !== id) {
      panel.open = false;
      panel.hidden = true;
      at('people-trouble').textContent = '';
    }
    id = newId;
    if (id !== null) await refresh();
  }

  async function refresh() {
    const wanted = id;
    if (wanted === null) return;
    const conversation = await fetchOne(wanted);
    if (wanted === id) draw(conversation);
  }

  function draw({ participants, session, state }) {
    const people = Array.isArray(participants) ? participants : [];
    setText(at('people-count'), people.length === 1 ? '1 participant' : `${people.length} participants`);
    at('people-list').replaceChildren(...people.map(person));
    setText(at('people-session'), session ? describe(session) : 'No agent has answered here yet');
    button.hidden = state === 'closed';
    panel.hidden = false;
  }

  button.addEventListener('click', async () => {
    const wanted = id;
    if (wanted === null || button.disabled) return;
    button.disabled = true;
    at('people-trouble').textContent = '';
    try {
      const conversation = await close(wanted);
      if (wanted === id) draw(conversation);
    } catch (error) {
      if (wanted === id) at('people-trouble').textContent = error.message;
      onError(error);
    } finally {
      button.disabled = false;
    }
  });

  return { open, refresh };
}

function person({ identity, address, channel }) {
  const line = make('li', 'person');
  line.append(
    make('bdi', 'person-name', identity || showAddress(address)),
    make('span', 'person-channel', showChannel(channel)),
  );
  return line;
}

function describe({ agent, state, started_at: started, closed_at: closed }) {
  const when = (text) => `${showDay(dateOf(text))}, ${showTime(dateOf(text))}`;
  const end = state === 'closed' && closed ? `, closed ${when(closed)}` : '';
  return `Agent ${agent}, since ${when(started)}${end}`;
}
