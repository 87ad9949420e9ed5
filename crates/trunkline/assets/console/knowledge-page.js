// Knowledge: collections, their documents, taking files in, and searching what agents are reminded of.

import { at, make, setText } from './dom.js';
import { ask, leaveIfSignedOut } from './room.js';
import { dateOf, showBytes, showDay, showNumber } from './text.js';

let collections = [];
let open = null;

const count = (number, what) => `${showNumber(number)} ${what}${number === 1 ? '' : 's'}`;
const path = (collection, more = '') => `/api/v1/knowledge/${encodeURIComponent(collection)}${more}`;

async function read() {
  try {
    ({ collections } = await ask('/api/v1/knowledge'));
    at('collections').replaceChildren(...collections.map(row));
    setText(at('collections-note'), collections.length === 0 ? 'Nothing was taken in yet. Add files, or use trunkline knowledge add.' : '');
  } catch (error) {
    leaveIfSignedOut(error);
    setText(at('collections-note'), 'The collections could not be read');
  }
}

function row({ collection, documents, passages }) {
  const item = make('li', 'row');
  const link = make('a', 'row-link room-row');
  link.href = `#${encodeURIComponent(collection)}`;
  if (collection === open) link.setAttribute('aria-current', 'true');
  const first = make('span', 'row-first');
  first.append(make('bdi', 'address', collection));
  const second = make('span', 'row-second');
  second.append(make('span', 'preview', `${count(documents, 'document')}, ${count(passages, 'passage')}`));
  link.append(first, second);
  item.append(link);
  return item;
}

async function show(collection) {
  open = collection;
  await read();
  if (collection === null) {
    at('body').replaceChildren(make('p', 'room-none', 'Pick a collection, or search'));
    return;
  }
  at('add').elements.collection.value = collection;
  try {
    const { documents } = await ask(path(collection, '/documents'));
    if (collection !== open) return;
    const section = make('section', 'room-part');
    section.append(make('h2', 'group', collection), ...documents.map((one) => documentRow(collection, one)));
    if (documents.length === 0) section.append(make('p', 'room-none', 'No documents'));
    at('body').replaceChildren(section);
  } catch (error) {
    leaveIfSignedOut(error);
    at('body').replaceChildren(make('p', 'field-error', error.message));
  }
}

function documentRow(collection, { id, title, size, passages, updated_at: updated }) {
  const line = make('p', 'room-fact');
  const remove = make('button', 'button quiet', 'Remove');
  remove.type = 'button';
  remove.addEventListener('click', async () => {
    if (remove.textContent === 'Remove') {
      remove.textContent = 'Really remove?';
      return;
    }
    remove.disabled = true;
    try {
      await ask(path(collection, `/documents/${encodeURIComponent(id)}`), { method: 'DELETE' });
    } catch (error) {
      leaveIfSignedOut(error);
    }
    show(collection);
  });
  const detail = `${showBytes(size)}, ${count(passages, 'passage')}, ${showDay(dateOf(updated))}`;
  line.append(make('bdi', 'room-value', title), make('span', 'room-name', detail), remove);
  return line;
}

at('add').addEventListener('submit', (event) => event.preventDefault());
at('add').elements.files.addEventListener('change', async () => {
  const form = at('add');
  if (!form.reportValidity()) return;
  const collection = form.elements.collection.value.trim();
  const files = [...form.elements.files.files];
  let taken = 0;
  const refused = [];
  for (const file of files) {
    setText(at('add-note'), `Taking in ${file.name}…`);
    try {
      const place = path(collection, `/documents?${new URLSearchParams({ title: file.name })}`);
      await ask(place, { method: 'POST', headers: { 'content-type': file.type || 'application/octet-stream' }, body: file });
      taken += 1;
    } catch (error) {
      leaveIfSignedOut(error);
      refused.push(`${file.name}: ${error.message}`);
    }
  }
  setText(at('add-note'), [`${taken} taken in`, ...refused].join('\n'));
  form.elements.files.value = '';
  if (location.hash === `#${encodeURIComponent(collection)}`) show(collection);
  else location.hash = encodeURIComponent(collection);
});

at('search').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { q, where } = at('search').elements;
  if (!q.value.trim()) return;
  try {
    const { passages } = await ask(`/api/v1/${where.value}/search?${new URLSearchParams({ q: q.value })}`);
    const rows = passages.map(found);
    at('body').replaceChildren(...(rows.length > 0 ? rows : [make('p', 'room-none', 'Nothing fits')]));
  } catch (error) {
    leaveIfSignedOut(error);
    at('body').replaceChildren(make('p', 'field-error', error.message));
  }
});

function found({ source, title, excerpt, text, contact }) {
  const part = make('section', 'room-part');
  const place = [source.title, title].filter((name) => name).join(', ');
  part.append(make('h2', 'group', place), make('p', 'room-value', excerpt));
  const more = make('details');
  more.append(make('summary', 'room-name', 'The whole passage'), make('p', 'room-value', text));
  part.append(more);
  if (contact) {
    const person = make('a', 'room-name', 'The person');
    person.href = `/people#${encodeURIComponent(contact)}`;
    part.append(person);
  }
  return part;
}

const fromHash = () => (location.hash.length > 1 ? decodeURIComponent(location.hash.slice(1)) : null);
addEventListener('hashchange', () => show(fromHash()));
await show(fromHash());
