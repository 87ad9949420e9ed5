// Workflows: the list, and of the one that is open its graph, its runs, and the run that is looked at while it runs.

import { at, make, place, setText } from './dom.js';
import { dateOf, showAge, words } from './text.js';
import { drawGraph } from './workflow-graph.js';

const PAGE = 50;
/** Runs change quickly; the page is read again this often at most. */
const PACE_MS = 400;
const TONES = { done: 'good', compensated: 'warn', failed: 'bad', running: 'busy', queued: 'busy', waiting: 'plain', cancelled: 'plain' };

/**
 * `api` has `workflows()`, `runs(workflow, state, limit, before)`, `run(id)`, `replay(id)` and `cancel(id)`. `on.error(error)` is told
 * of what could not be read.
 */
export function createWorkflows(api, on) {
  let all = [];
  let isEnabled = true;
  let name = null;
  let runId = null;
  let runs = [];
  let next = null;
  let shown = null;
  let timer = 0;

  async function refresh() {
    try {
      const page = await api.workflows();
      isEnabled = page.enabled !== false;
      all = Array.isArray(page.workflows) ? page.workflows : [];
      drawList();
      if (name === null) return;
      const [listed, run] = await Promise.all([
        api.runs(name, at('run-state').value, PAGE),
        runId === null ? null : api.run(runId),
      ]);
      runs = Array.isArray(listed.runs) ? listed.runs : [];
      next = listed.next ?? null;
      shown = run;
      note('');
      draw();
    } catch (error) {
      note('The workflows could not be read');
      on.error(error);
    }
  }

  function soon() {
    if (timer || at('workflows-scroller').hidden) return;
    timer = setTimeout(() => {
      timer = 0;
      refresh();
    }, PACE_MS);
  }

  async function older() {
    if (!next) return;
    try {
      const page = await api.runs(name, at('run-state').value, PAGE, next);
      runs = [...runs, ...page.runs];
      next = page.next ?? null;
      draw();
    } catch (error) {
      on.error(error);
    }
  }

  function drawList() {
    const rows = all.map((workflow) => {
      const row = make('li', 'row');
      const link = make('a', 'row-link workflow-link');
      link.href = `#/workflows/${encodeURIComponent(workflow.name)}`;
      if (workflow.name === name) link.setAttribute('aria-current', 'true');
      const first = make('span', 'row-first');
      first.append(make('bdi', 'address', workflow.name));
      const failed = workflow.runs?.failed ?? 0;
      if (failed > 0) first.append(make('span', 'badge bad', `${failed} failed`));
      link.append(first, make('span', 'row-second preview', workflow.description || `${workflow.nodes.length} steps`));
      row.append(link);
      return row;
    });
    at('workflows').replaceChildren(...rows);
    at('workflows-empty').hidden = all.length > 0;
    setText(at('workflows-empty-title'), isEnabled ? 'No workflows yet' : 'Workflows are switched off');
  }

  function draw() {
    const workflow = all.find((one) => one.name === name);
    at('workflow-open').hidden = name === null;
    if (name === null) return;
    setText(at('workflow-name'), name);
    setText(at('workflow-about'), workflow?.description ?? '');
    const graph = shown?.definition ?? workflow;
    at('workflow-graph').replaceChildren(...(graph ? [drawGraph(graph.nodes, shown?.steps)] : []));
    place(at('runs'), runs.map(runRow));
    at('runs-more').hidden = !next;
    at('runs-empty').hidden = runs.length > 0;
    drawRun();
  }

  function runRow(run) {
    const row = make('li', 'run-row');
    const link = make('a', 'run-link');
    link.href = `#/workflows/${encodeURIComponent(name)}/${encodeURIComponent(run.run)}`;
    if (run.run === runId) link.setAttribute('aria-current', 'true');
    const started = dateOf(run.started);
    const time = make('time', 'run-time', started ? showAge(started, new Date()) : '');
    if (started) time.dateTime = run.started;
    link.append(badge(run.state), time, make('span', 'run-error', run.error_code ? `${run.error_node ?? ''}: ${run.error_code}` : ''));
    row.append(link);
    return row;
  }

  const badge = (state) => make('span', `badge ${TONES[state] ?? 'plain'}`, words(state));

  function drawRun() {
    at('run').hidden = !shown;
    if (!shown) return;
    at('run-badge').className = `badge ${TONES[shown.state] ?? 'plain'}`;
    setText(at('run-badge'), words(shown.state));
    setText(at('run-id'), shown.run);
    at('run-replay').hidden = !['failed', 'compensated', 'cancelled'].includes(shown.state);
    at('run-cancel').hidden = !['queued', 'running', 'waiting'].includes(shown.state);
    const rows = shown.steps.map((step) => {
      const row = make('tr');
      row.dataset.state = step.state;
      const more = [step.branch, step.attempts > 1 ? `${step.attempts} tries` : '', step.due ? `until ${dateOf(step.due)?.toLocaleString() ?? ''}` : '', step.error_code];
      row.append(make('td', 'step-node', step.node), make('td', 'step-state', words(step.state)), make('td', 'step-more', more.filter(Boolean).join(' · ')));
      return row;
    });
    at('steps').replaceChildren(...rows);
  }

  function note(text) {
    at('workflows-note').hidden = !text;
    setText(at('workflows-note'), text);
  }

  async function act(what) {
    setText(at('run-trouble'), '');
    try {
      await api[what](runId);
      await refresh();
    } catch (error) {
      setText(at('run-trouble'), error.message);
      on.error(error);
    }
  }

  at('runs-more').addEventListener('click', older);
  at('run-state').addEventListener('change', refresh);
  at('run-replay').addEventListener('click', () => act('replay'));
  at('run-cancel').addEventListener('click', () => act('cancel'));

  return {
    refresh: soon,
    /** An event: a run began, went on or ended. */
    heard: soon,
    openName: () => name,
    select(isShown, wanted, wantedRun) {
      const isOther = wanted !== name;
      name = isShown ? wanted : null;
      runId = isShown ? wantedRun : null;
      if (isOther || runId === null) shown = null;
      if (isOther) [runs, next] = [[], null];
      at('workflow-open').hidden = name === null;
      setText(at('run-trouble'), '');
      if (isShown) refresh();
    },
  };
}
