// The graph of a workflow: layers from left to right, each node behind all that it comes after. Drawn as SVG; what a run
// came to colours it.

const SPACE = 'http://www.w3.org/2000/svg';
const WIDTH = 156;
const HEIGHT = 44;
const GAP_X = 52;
const GAP_Y = 20;
const PAD = 16;

function svg(tag, attributes = {}, text) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** What comes before each node: `{ from, to, branch, failure }`. */
export function edgesOf(nodes) {
  const edges = [];
  for (const node of nodes) {
    for (const need of node.needs ?? []) edges.push({ from: need.node, to: node.name, branch: need.branch ?? '', failure: false });
    if (node.on_failure) edges.push({ from: node.name, to: node.on_failure, branch: '', failure: true });
  }
  return edges;
}

/** The layer and the row of each node. The gateway lists a node behind all that it needs. */
export function layout(nodes) {
  const edges = edgesOf(nodes);
  const layers = new Map();
  for (const { name } of nodes) {
    const before = edges.filter(({ to }) => to === name).map(({ from }) => layers.get(from) ?? 0);
    layers.set(name, before.length ? Math.max(...before) + 1 : 0);
  }
  const rows = [];
  const places = new Map();
  for (const { name } of nodes) {
    const layer = layers.get(name);
    // Beside what it comes after where that row is free, so that a straight way is a straight line.
    const wanted = edges.filter(({ to, failure }) => to === name && !failure).map(({ from }) => places.get(from)?.row ?? 0);
    const taken = rows[layer] ??= new Set();
    let row = wanted.length ? Math.min(...wanted) : 0;
    while (taken.has(row)) row += 1;
    taken.add(row);
    places.set(name, { layer, row });
  }
  return { places, edges };
}

function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Draws `nodes`; `steps` are the steps of a run, if one is shown. */
export function drawGraph(nodes, steps = []) {
  const { places, edges } = layout(nodes);
  const states = new Map(steps.map((step) => [step.node, step]));
  const x = (layer) => PAD + layer * (WIDTH + GAP_X);
  const y = (row) => PAD + row * (HEIGHT + GAP_Y);
  const all = [...places.values()];
  const width = x(Math.max(0, ...all.map(({ layer }) => layer))) + WIDTH + PAD;
  const height = y(Math.max(0, ...all.map(({ row }) => row))) + HEIGHT + PAD;
  const root = svg('svg', { class: 'graph', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' });
  root.append(svg('title', {}, `Graph of ${nodes.length} ${nodes.length === 1 ? 'step' : 'steps'}`));
  for (const { from, to, branch, failure } of edges) {
    const [one, other] = [places.get(from), places.get(to)];
    if (!one || !other) continue;
    const [x1, y1, x2, y2] = [x(one.layer) + WIDTH, y(one.row) + HEIGHT / 2, x(other.layer), y(other.row) + HEIGHT / 2];
    const bend = Math.max(24, (x2 - x1) / 2);
    const step = states.get(from);
    const went = failure ? step?.state === 'failed' : step?.state === 'done' && (!branch || branch === step.branch);
    const kind = `edge${failure ? ' failure' : ''}${went ? ' went' : ''}`;
    root.append(svg('path', { class: kind, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }));
    const label = failure ? 'failed' : branch;
    if (label) root.append(svg('text', { class: 'edge-label', x: x2 - 8, y: y2 - 6, 'text-anchor': 'end' }, label));
  }
  for (const node of nodes) {
    const { layer, row } = places.get(node.name);
    const step = states.get(node.name);
    const group = svg('g', { class: 'node', 'data-state': step?.state ?? (steps.length ? 'pending' : 'none'), transform: `translate(${x(layer)} ${y(row)})` });
    group.append(svg('title', {}, [node.name, node.kind, step?.state, step?.error_code].filter(Boolean).join(' · ')));
    group.append(svg('rect', { width: WIDTH, height: HEIGHT, rx: 10 }));
    group.append(svg('text', { class: 'node-name', x: 14, y: 19 }, short(node.name, 18)));
    group.append(svg('text', { class: 'node-kind', x: 14, y: 34 }, short(`${node.kind.replaceAll('_', ' ')}${step ? ` · ${step.state}` : ''}`, 26)));
    root.append(group);
  }
  return root;
}
