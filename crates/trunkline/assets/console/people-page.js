// People: who they are on every channel, what is known of them, export and erasure.

import { at, make, setText } from './dom.js';
import { ask, leaveIfSignedOut } from './room.js';
import { dateOf, showAddress, showAge, showChannel, showDay, showTime } from './text.js';

const PAGE = 50;
/** How long a person must be still who types before what they typed is looked for. */
const STILL_MS = 200;

let people = [];
let next = null;
let open = null;
let asked = 0;

const query = () => at('search').elements.query.value.trim();
const path = (id, more = '') => `/api/v1/contacts/${encodeURIComponent(id)}${more}`;
const title = (person) => person.name || showAddress(person.addresses[0]?.address) || 'Nobody';

async function read(cursor = null) {
  const mine = ++asked;
  const wanted = new URLSearchParams({ limit: PAGE });
  if (query()) wanted.set('query', query());
  if (cursor) wanted.set('cursor', cursor);
  try {
    const page = await ask(`/api/v1/contacts?${wanted}`);
    if (mine !== asked) return;
    people = cursor ? [...people, ...page.contacts] : page.contacts;
    next = page.next;
    draw();
  } catch (error) {
    leaveIfSignedOut(error);
    if (mine === asked) setText(at('list-note'), 'The people could not be read');
  }
}

function draw() {
  at('list').replaceChildren(...people.map(row));
  at('more').hidden = !next;
  const none = query() ? 'Nobody has such a name or address' : 'Nobody has written or called yet';
  setText(at('list-note'), people.length === 0 ? none : '');
}

function row(person) {
  const item = make('li', 'row');
  const link = make('a', 'row-link room-row');
  link.href = `#${encodeURIComponent(person.id)}`;
  if (person.id === open) link.setAttribute('aria-current', 'true');
  const first = make('span', 'row-first');
  const seen = person.seen_at ? dateOf(person.seen_at) : null;
  first.append(make('bdi', 'address', title(person)), make('time', 'age', seen ? showAge(seen) : ''));
  const second = make('span', 'row-second');
  const channels = [...new Set(person.addresses.map(({ channel }) => showChannel(channel)))].join(', ');
  second.append(make('span', 'preview', channels));
  if (person.opted_out) second.append(make('span', 'badge warn', 'Opted out'));
  link.append(first, second);
  item.append(link);
  return item;
}

async function show(id) {
  open = id;
  at('open').hidden = id === null;
  at('nothing').hidden = id !== null;
  draw();
  if (id === null) return;
  at('body').replaceChildren();
  setText(at('name'), '…');
  try {
    const person = await ask(path(id));
    if (id === open) drawPerson(person);
  } catch (error) {
    leaveIfSignedOut(error);
    if (id === open) setText(at('name'), error.message);
  }
}

function drawPerson(person) {
  setText(at('name'), title(person));
  setText(at('detail'), `Known since ${when(person.created_at)}`);
  const memories = Object.entries(person.memories).map(([name, value]) => fact(name, value));
  const consent = person.consent.map((one) =>
    fact(showAddress(one.address), `${one.opted_out ? 'Wants nothing' : 'Wants to hear'} from ${one.sender || 'any of our addresses'}`));
  at('body').replaceChildren(
    part('Addresses', person.addresses.map(({ channel, address }) => fact(showChannel(channel), showAddress(address)))),
    part('Remembered', memories),
    part('Consent', consent),
    part('Conversations', person.conversations.map((one) =>
      link(`/#/c/${encodeURIComponent(one.id)}`, showChannel(one.channel), `${when(one.updated_at)}: ${one.last_message?.text ?? ''}`))),
    part('Calls', person.calls.map((one) =>
      link(`/#/calls/${encodeURIComponent(one.call)}`, one.direction === 'inbound' ? 'Called us' : 'We called', when(one.started)))),
  );
}

const when = (text) => `${showDay(dateOf(text))}, ${showTime(dateOf(text))}`;

function part(heading, rows) {
  const section = make('section', 'room-part');
  section.append(make('h2', 'group', heading), ...(rows.length > 0 ? rows : [make('p', 'room-none', 'None')]));
  return section;
}

function fact(name, value) {
  const line = make('p', 'room-fact');
  line.append(make('span', 'room-name', name), make('bdi', 'room-value', value));
  return line;
}

function link(href, name, value) {
  const line = make('a', 'room-fact');
  line.href = href;
  line.append(make('span', 'room-name', name), make('bdi', 'room-value', value));
  return line;
}

at('export').addEventListener('click', async () => {
  const id = open;
  try {
    const document_ = await ask(path(id, '/export'));
    const saved = make('a');
    saved.href = URL.createObjectURL(new Blob([JSON.stringify(document_, null, 2)], { type: 'application/json' }));
    saved.download = `person-${id}.json`;
    saved.click();
    URL.revokeObjectURL(saved.href);
    at('announce').textContent = 'Saved';
  } catch (error) {
    leaveIfSignedOut(error);
    setText(at('detail'), error.message);
  }
});

at('erase').addEventListener('click', () => {
  setText(at('sure-trouble'), '');
  at('sure').showModal();
});

at('sure-yes').addEventListener('click', async () => {
  const button = at('sure-yes');
  button.disabled = true;
  try {
    await ask(path(open), { method: 'DELETE' });
    at('sure').close();
    at('announce').textContent = 'Erased';
    location.hash = '';
    await read();
  } catch (error) {
    leaveIfSignedOut(error);
    setText(at('sure-trouble'), error.message);
  } finally {
    button.disabled = false;
  }
});

let still = 0;
at('search').addEventListener('input', () => {
  clearTimeout(still);
  still = setTimeout(() => read(), STILL_MS);
});
at('search').addEventListener('submit', (event) => {
  event.preventDefault();
  read();
});
at('more').addEventListener('click', () => read(next));

const fromHash = () => (location.hash.length > 1 ? decodeURIComponent(location.hash.slice(1)) : null);
addEventListener('hashchange', () => show(fromHash()));
await read();
await show(fromHash());
