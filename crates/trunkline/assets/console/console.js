// The console: which view is shown, what the address bar says, and what an event changes.

import { createCallView } from './call-view.js';
import { createCallsList } from './calls-list.js';
import { at, make, setText } from './dom.js';
import {
  SignedOut, agents, call, calls, cancelRun, closeConversation, conversation, conversations, follow, messages,
  orderCall, orderConversation, recordingOf, replayRun, run, runs, scheduled, signIn, status, tools, workflows,
} from './gateway.js';
import { createList } from './list.js';
import { createCare } from './care.js';
import { createPeople } from './people.js';
import { showConnector, showNumber } from './text.js';
import { createThread } from './thread.js';
import { createWorkflows } from './workflows.js';

const CONNECTOR_TONES = { healthy: 'good', degraded: 'warn', unhealthy: 'bad' };

const line = { down: false, reasons: [], troubles: [], reconnect: () => {} };
const list = createList(conversations, trouble);
const thread = createThread(messages, tools, scheduled, trouble);
const care = createCare(orderConversation, agents, conversation, trouble);
const people = createPeople(conversation, closeConversation, trouble);
const callView = createCallView({ read: call, order: orderCall, recordingOf }, trouble);
const callsList = createCallsList(calls, {
  changed: () => {
    callView.update(callsList.find(callView.openId()));
    drawTitle();
  },
  error: trouble,
});

const workflowsView = createWorkflows({ workflows, runs, run, replay: replayRun, cancel: cancelRun }, { error: trouble });

// Views

function show(view) {
  document.body.dataset.view = view;
  at('app').hidden = view !== 'app';
  at('login').hidden = view !== 'login';
  if (view === 'login') at('token').focus();
}

at('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.submitter ?? at('login-form').querySelector('button');
  button.disabled = true;
  let problem = '';
  try {
    if (await signIn(at('token').value)) return location.reload();
    problem = 'That is not the token of this gateway.';
    at('token').select();
  } catch (error) {
    problem = error instanceof TypeError ? 'The gateway does not answer.' : `${error.message}.`;
  } finally {
    button.disabled = false;
  }
  at('login-error').textContent = problem;
  at('token').setAttribute('aria-invalid', 'true');
});

/** A read that failed outside the reconnection: signed out, or gone, which the stream notices by itself. */
function trouble(error) {
  if (error instanceof SignedOut) show('login');
}

// The address bar

function route() {
  const match = /^#\/(c|calls|workflows)\/([^/]+)(?:\/([^/]+))?$/.exec(location.hash);
  const inCalls = /^#\/calls(\/|$)/.test(location.hash);
  const inWorkflows = /^#\/workflows(\/|$)/.test(location.hash);
  const id = match ? decode(match[2]) : null;
  const conversationId = inCalls || inWorkflows ? null : id;
  const callId = inCalls ? id : null;
  document.body.classList.toggle('in-thread', id !== null);
  at('calls-scroller').hidden = !inCalls;
  at('workflows-scroller').hidden = !inWorkflows;
  at('list-scroller').hidden = inCalls || inWorkflows;
  mark(at('section-conversations'), !inCalls && !inWorkflows);
  mark(at('section-calls'), inCalls);
  mark(at('section-workflows'), inWorkflows);
  setText(at('nothing-title'), inCalls ? 'Pick a call' : inWorkflows ? 'Pick a workflow' : 'Pick a conversation');
  workflowsView.select(inWorkflows, id, match?.[3] ? decode(match[3]) : null);
  list.select(conversationId);
  thread.open(conversationId, conversationId === null ? null : list.find(conversationId)).catch(trouble);
  people.open(conversationId).catch(trouble);
  care.open(conversationId).catch(trouble);
  callsList.select(callId);
  callView.open(callId, callId === null ? null : callsList.find(callId)).catch(trouble);
  at('nothing').hidden = id !== null;
  drawTitle();
}

function mark(link, isCurrent) {
  if (isCurrent) link.setAttribute('aria-current', 'true');
  else link.removeAttribute('aria-current');
}

function drawTitle() {
  const open = thread.openId() !== null ? at('who') : callView.openId() !== null ? at('call-who')
    : workflowsView.openName() !== null ? at('workflow-name') : null;
  document.title = open ? `${open.textContent} · Trunkline` : 'Trunkline';
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

addEventListener('hashchange', () => {
  route();
  // On a telephone the thread replaces the list, so the focus goes with it.
  if (!matchMedia('(max-width: 819px)').matches) return;
  if (thread.openId() !== null) at('who').focus();
  else if (callView.openId() !== null) at('call-who').focus();
});

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return;
  if (location.hash.startsWith('#/workflows')) return;
  const step = { j: 1, k: -1 }[event.key];
  const inCalls = location.hash.startsWith('#/calls');
  if (step) {
    const id = (inCalls ? callsList : list).neighbour(step);
    if (id) location.hash = `#/${inCalls ? 'calls' : 'c'}/${encodeURIComponent(id)}`;
  } else if (event.key === 'Escape' && (thread.openId() ?? callView.openId()) !== null) {
    location.hash = inCalls ? '#/calls' : '#/';
  }
});

at('who-sid').addEventListener('click', async () => {
  let said = 'Copied';
  try {
    await navigator.clipboard.writeText(at('who-sid').querySelector('.sid-text').textContent);
    at('who-sid').classList.add('copied');
    setTimeout(() => at('who-sid').classList.remove('copied'), 1200);
  } catch {
    said = 'This browser does not let the page copy';
  }
  at('announce').textContent = said;
});

// Status

function drawStatus(now) {
  line.reasons = Array.isArray(now.reasons) ? now.reasons : [];
  item('s-ready', now.ready ? 'Ready' : 'Not ready', now.ready ? 'good' : 'bad');
  drawConnectors(Array.isArray(now.connectors) ? now.connectors : []);
  item('s-backlog', showNumber(now.backlog), now.backlog > 0 ? 'some' : 'plain');
  item('s-dead', showNumber(now.dead_letters), now.dead_letters > 0 ? 'bad' : 'plain');
  setText(at('version'), now.version ? `v${now.version}` : '');
  list.setTotal(now.conversations);
  line.ready = now.ready;
  drawBanner();
}

/** One item for each connector, in the gateway's order. */
function drawConnectors(connectors) {
  const strip = at('strip');
  const known = [...strip.querySelectorAll('[data-connector]')];
  const names = connectors.map((connector) => connector.name);
  if (known.map((node) => node.dataset.connector).join() !== names.join()) {
    for (const node of known) node.remove();
    for (const name of names) {
      const node = make('div', 'strip-item');
      node.id = `s-connector-${name}`;
      node.dataset.connector = name;
      node.append(make('dt', '', showConnector(name)), make('dd', 'value', '…'));
      strip.insertBefore(node, at('s-backlog'));
    }
  }
  for (const { name, status: health, trouble } of connectors) {
    item(`s-connector-${name}`, health ?? 'unknown', CONNECTOR_TONES[health] ?? 'plain');
    at(`s-connector-${name}`).title = trouble ?? '';
  }
  line.troubles = connectors.filter(({ trouble }) => trouble).map(({ name, trouble }) => `${showConnector(name)}: ${trouble}`);
}

function item(id, text, tone) {
  const node = at(id);
  node.dataset.tone = tone;
  setText(node.querySelector('.value'), text);
}

function drawBanner() {
  const banner = at('banner');
  const text = line.down ? 'The gateway does not answer. Reconnecting…'
    : line.ready === false ? `Texts do not flow: ${line.reasons.join(', ') || 'the gateway is starting'}`
      : line.troubles.length > 0 ? `Texts flow, but not everything works. ${line.troubles.join('; ')}` : '';
  banner.hidden = !text;
  banner.classList.toggle('late', line.down);
  at('banner-retry').hidden = !line.down;
  setText(at('banner-text'), text);
  document.body.classList.toggle('offline', line.down);
}

at('banner-retry').addEventListener('click', () => line.reconnect());

// Start

async function reread() {
  const [now] = await Promise.all([status(), list.reread()]);
  drawStatus(now);
  callsList.refresh();
  workflowsView.refresh();
  callView.refresh();
  const id = thread.openId();
  if (id === null) return;
  const known = list.find(id);
  if (known) {
    thread.describe(known);
    care.describe(known);
  }
  people.refresh().catch(trouble);
  drawTitle();
  await thread.refresh();
}

async function start() {
  try {
    drawStatus(await status());
  } catch (error) {
    if (error instanceof SignedOut) return show('login');
  }
  show('app');
  route();
  follow({
    reread,
    status: drawStatus,
    conversation: (changed) => {
      list.upsert(changed);
      if (changed.id !== thread.openId()) return;
      thread.describe(list.find(changed.id));
      care.describe(list.find(changed.id));
      people.refresh().catch(trouble);
      thread.refresh().catch(trouble);
    },
    typing: ({ id, on }) => {
      list.typing(id, on === true);
      if (id === thread.openId()) thread.typing(on === true);
    },
    calls: callsList.heard,
    workflow: workflowsView.heard,
    up: () => {
      line.down = false;
      drawBanner();
    },
    down: (reconnect) => {
      line.down = true;
      line.reconnect = reconnect;
      drawBanner();
    },
    signedOut: () => show('login'),
  });
}

start();
