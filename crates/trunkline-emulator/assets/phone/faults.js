// The faults page: what is set, what it struck, and new ones. What the emulator says only ever becomes text nodes.

import { Refused, addFault, clearFault, clearFaults, faults } from './line.js';

const REFRESH_MS = 2000;
/** What the form offers: each kind with the values that it needs. */
const OFFERS = [
  ['Answer 429', { match: { method: 'POST' }, count: 1, fault: { kind: 'status', status: 429, retry_after_ms: 1000 } }],
  ['Answer 503', { count: 1, fault: { kind: 'status', status: 503 } }],
  ['Answer late', { match: { path: '/v1/Conversations' }, fault: { kind: 'latency', ms: 2000 } }],
  ['Drop the request', { match: { method: 'POST' }, count: 1, fault: { kind: 'drop_before' } }],
  ['Drop the answer', { match: { method: 'POST' }, count: 1, fault: { kind: 'drop_after' } }],
  ['Cut the answer short', { count: 1, fault: { kind: 'truncate', bytes: 20 } }],
  ['Answer something that is no JSON', { count: 1, fault: { kind: 'wrong_json' } }],
  ['Lose webhooks', { match: { event: 'onMessageAdded' }, probability: 0.5, seed: 1, fault: { kind: 'webhook_lose' } }],
  ['Send webhooks twice', { fault: { kind: 'webhook_duplicate', times: 1 } }],
  ['Send webhooks late', { fault: { kind: 'webhook_delay', ms: 3000 } }],
  ['Send webhooks out of order', { fault: { kind: 'webhook_reorder', window_ms: 3000 } }],
  ['Sign webhooks wrongly', { fault: { kind: 'webhook_wrong_signature' } }],
];

const at = (id) => document.getElementById(id);

async function attempt(work) {
  at('error').textContent = '';
  try {
    await work();
    await refresh();
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    at('error').textContent = problem.message;
  }
}

async function refresh() {
  const list = await faults();
  at('rows').replaceChildren(...list.map(row));
  at('table').hidden = list.length === 0;
  at('clear').hidden = list.length === 0;
  at('none').hidden = list.length > 0;
}

function row(fault) {
  const { kind, ...values } = fault.fault;
  const limit = fault.count === null || fault.count === undefined ? '' : ` of ${fault.count}`;
  const clear = document.createElement('button');
  clear.type = 'button';
  clear.className = 'link';
  clear.textContent = 'Clear';
  clear.addEventListener('click', () => attempt(() => clearFault(fault.id)));
  const line = document.createElement('tr');
  line.append(
    cell(code([kind, ...pairs(values)].join(' '))),
    cell(code(pairs(fault.match ?? {}).join(' ') || 'everything')),
    cell(`${fault.hits}${limit}`),
    cell(clear),
  );
  return line;
}

const pairs = (values) => Object.entries(values).map(([name, value]) => `${name}=${value}`);

function cell(content) {
  const node = document.createElement('td');
  node.append(content);
  return node;
}

function code(text) {
  const node = document.createElement('code');
  node.textContent = text;
  return node;
}

const show = () => { at('text').value = JSON.stringify(OFFERS[at('kind').selectedIndex][1], null, 2); };

at('kind').append(...OFFERS.map(([name]) => new Option(name)));
at('kind').addEventListener('change', show);
at('clear').addEventListener('click', () => attempt(clearFaults));
at('form').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(async () => {
    let fault;
    try {
      fault = JSON.parse(at('text').value);
    } catch {
      throw new Refused(0, null, 'This is no JSON');
    }
    await addFault(fault);
  });
});

show();
const look = () => refresh().catch((problem) => { at('error').textContent = problem.message; });
look();
setInterval(() => { if (!document.hidden) look(); }, REFRESH_MS);
