//! From what was read to a workflow: nodes find each other, circles and dead ends are told, references are looked up.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::definition::{Branch, Join, Kind, Need, Node, Retry, Trigger, Workflow};
use super::event::{EventType, similar};
use super::expression::Expression;
use super::fields::Text;
use super::problem::Source;
use super::read::shown;
use super::reference::Reference;

/// A workflow whose nodes do not know each other yet.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) timeout: Duration,
    pub(super) at_once: usize,
    pub(super) on_failure: Option<Text>,
    pub(super) triggers: Vec<(Trigger, Vec<Reference>)>,
    pub(super) nodes: Vec<DraftNode>,
}

/// A node that knows others by name.
pub(super) struct DraftNode {
    pub(super) name: String,
    /// Where it begins.
    pub(super) at: usize,
    /// `None` if it was not understood.
    pub(super) kind: Option<Kind>,
    /// Events that it waits for.
    pub(super) awaits: Vec<&'static EventType>,
    pub(super) needs: Vec<Text>,
    pub(super) join: Join,
    pub(super) when: Option<Expression>,
    pub(super) retry: Retry,
    pub(super) timeout: Duration,
    pub(super) on_failure: Option<Text>,
    pub(super) refers: Vec<Reference>,
}

/// How nodes hang together, by their places in the text.
struct Links {
    needs: Vec<Vec<Need>>,
    on_failure: Vec<Option<usize>>,
    compensations: BTreeSet<usize>,
}

/// Fields of `event` and `received`.
const EVENT: &[&str] =
    &["type", "id", "source", "subject", "time", "data", "person", "contact", "conversation", "call"];
const RUN: &[&str] = &["id", "workflow", "started"];
const STEP: &[&str] = &["output", "state", "error"];

impl Draft {
    /// The workflow; `None` if something is wrong, which is told.
    pub(super) fn finish(self, text: &str, revision: String, source: &mut Source<'_>) -> Option<Workflow> {
        let links = self.links(source);
        let order = self.order(&links, source);
        self.check_reach(&links, source);
        self.check_references(&links, &order, source);
        if !source.is_fine() {
            return None;
        }
        let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let moved = |old: usize| place.get(&old).copied();
        let mut slots: Vec<Option<DraftNode>> = self.nodes.into_iter().map(Some).collect();
        let mut nodes = Vec::with_capacity(slots.len());
        for old in order {
            let node = slots.get_mut(old)?.take()?;
            let needs = links.needs.get(old)?.iter();
            nodes.push(Node {
                name: node.name,
                kind: node.kind?,
                needs: needs.filter_map(|need| Some(Need { node: moved(need.node)?, ..*need })).collect(),
                join: node.join,
                when: node.when,
                retry: node.retry,
                timeout: node.timeout,
                on_failure: links.on_failure.get(old).copied().flatten().and_then(moved),
                is_compensation: links.compensations.contains(&old),
            });
        }
        Some(Workflow {
            name: self.name,
            description: self.description,
            source: text.to_owned(),
            revision,
            triggers: self.triggers.into_iter().map(|(trigger, _)| trigger).collect(),
            nodes,
            timeout: self.timeout,
            at_once: self.at_once,
        })
    }

    fn find(&self, name: &str, at: usize, source: &mut Source<'_>) -> Option<usize> {
        let found = self.nodes.iter().position(|node| node.name == name);
        if found.is_none() {
            let meant = similar(name, self.nodes.iter().map(|node| node.name.as_str()));
            let hint = meant.map(|meant| format!("; is {meant} meant?")).unwrap_or_default();
            source.problem(at, format!("there is no node {}{hint}", shown(name)));
        }
        found
    }

    fn links(&self, source: &mut Source<'_>) -> Links {
        let mut compensations = BTreeSet::new();
        let default = self.on_failure.as_ref().and_then(|name| self.find(&name.value, name.span.start, source));
        compensations.extend(default);
        let mut own = Vec::new();
        for node in &self.nodes {
            let found = node.on_failure.as_ref().and_then(|name| self.find(&name.value, name.span.start, source));
            compensations.extend(found);
            own.push(found);
        }
        let mut needs = Vec::new();
        for node in &self.nodes {
            needs.push(node.needs.iter().filter_map(|need| self.need(need, source)).collect());
        }
        // What makes good is not made good for: that would go on without end.
        let on_failure = own
            .into_iter()
            .enumerate()
            .map(|(at, own)| own.or_else(|| default.filter(|_| !compensations.contains(&at))))
            .collect();
        Links { needs, on_failure, compensations }
    }

    /// A need as it is written: `ask`, or `ask.yes`.
    fn need(&self, need: &Text, source: &mut Source<'_>) -> Option<Need> {
        let at = need.span.start;
        let (name, branch) = match need.value.split_once('.') {
            Some((name, branch)) => (name, Some(branch)),
            None => (need.value.as_str(), None),
        };
        let node = self.find(name, at, source)?;
        let Some(branch) = branch else { return Some(Need { node, branch: None }) };
        let kind = self.nodes.get(node)?.kind.as_ref()?;
        let found = Branch::from_name(branch).filter(|branch| kind.branches().contains(branch));
        if found.is_none() {
            let ways = match kind.branches() {
                [] => "has no branches: only condition (yes, no) and wait (event, time) have".to_owned(),
                [one, other] => format!("comes to {} or {}", one.as_str(), other.as_str()),
                _ => String::new(),
            };
            source.problem(at, format!("{name} {ways}"));
        }
        found.map(|branch| Need { node, branch: Some(branch) })
    }

    /// Every node behind all that it needs, and behind what it makes good for; otherwise in the order of the text.
    fn order(&self, links: &Links, source: &mut Source<'_>) -> Vec<usize> {
        let before = |at: usize| links.before(at);
        let (mut order, mut placed) = (Vec::new(), BTreeSet::new());
        loop {
            let next = (0..self.nodes.len())
                .find(|at| !placed.contains(at) && before(*at).iter().all(|other| placed.contains(other)));
            let Some(next) = next else { break };
            placed.insert(next);
            order.push(next);
        }
        // What is left hangs in a circle, or behind one.
        let left: BTreeSet<usize> = (0..self.nodes.len()).filter(|at| !placed.contains(at)).collect();
        if let Some(circle) = left.iter().find_map(|at| links.circle(*at)) {
            let names: Vec<_> =
                circle.iter().filter_map(|at| self.nodes.get(*at)).map(|node| shown(&node.name)).collect();
            let first = circle.first().and_then(|at| self.nodes.get(*at)).map_or(0, |node| node.at);
            source.problem(first, format!("nodes wait for each other in a circle: {}", names.join(" after ")));
        }
        order
    }

    /// Tells of nodes that can never run.
    fn check_reach(&self, links: &Links, source: &mut Source<'_>) {
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(needs) = links.needs.get(at) else { continue };
            if links.compensations.contains(&at) && !node.needs.is_empty() {
                source.problem(
                    node.at,
                    format!("{} runs when another node has failed, and cannot have needs", node.name),
                );
            }
            let is_torn = |one: &Need| {
                needs.iter().any(|other| {
                    other.node == one.node
                        && other.branch.is_some()
                        && one.branch.is_some()
                        && other.branch != one.branch
                })
            };
            if node.join == Join::All && needs.iter().any(is_torn) {
                source.problem(
                    node.at,
                    format!("{} can never run: it needs both ways of one node; join = \"any\" takes either", node.name),
                );
            }
            // A wait without an event never comes to `event`, one without a time never to `time`.
            for need in needs {
                let Some(Kind::Wait { event, within, until }) =
                    self.nodes.get(need.node).and_then(|it| it.kind.as_ref())
                else {
                    continue;
                };
                let never = match need.branch {
                    Some(Branch::Event) => event.is_none(),
                    Some(Branch::Time) => within.is_none() && until.is_none(),
                    _ => false,
                };
                if never {
                    source.problem(node.at, format!("{} can never run: the wait before it does not end so", node.name));
                }
            }
        }
    }

    fn check_references(&self, links: &Links, order: &[usize], source: &mut Source<'_>) {
        let is_free = self.triggers.iter().any(|(trigger, _)| !matches!(trigger, Trigger::Event { .. }));
        let of_triggers: Vec<_> = self
            .triggers
            .iter()
            .filter_map(|(trigger, _)| if let Trigger::Event { event, .. } = trigger { Some(*event) } else { None })
            .collect();
        for (trigger, refers) in &self.triggers {
            let Trigger::Event { event, .. } = trigger else { continue };
            for reference in refers {
                let path: Vec<_> = reference.path.iter().map(String::as_str).collect();
                let wrong = match path.as_slice() {
                    ["event", rest @ ..] => of_event("event", rest, Some(&[*event])),
                    [name, ..] => Some(format!("a trigger knows only event, and not {name}")),
                    [] => None,
                };
                note(wrong, reference, source);
            }
        }
        for (at, node) in self.nodes.iter().enumerate() {
            // In a circle everything would come before everything.
            let before = order.contains(&at).then(|| links.all_before(at));
            for reference in &node.refers {
                let path: Vec<_> = reference.path.iter().map(String::as_str).collect();
                let wrong = match path.as_slice() {
                    ["event", rest @ ..] => of_event("event", rest, (!is_free).then_some(&of_triggers)),
                    ["received", rest @ ..] if !node.awaits.is_empty() => {
                        of_event("received", rest, Some(&node.awaits))
                    }
                    ["run", field, ..] => one_of("run", field, RUN),
                    ["run" | "steps"] | [] => None,
                    ["steps", name, rest @ ..] => self.of_step(name, rest, before.as_ref()),
                    [name, ..] => Some(format!("there is no {name}: expressions know event, steps and run")),
                };
                note(wrong, reference, source);
            }
        }
    }

    fn of_step(&self, name: &str, rest: &[&str], before: Option<&BTreeSet<usize>>) -> Option<String> {
        let Some(at) = self.nodes.iter().position(|node| node.name == name) else {
            let meant = similar(name, self.nodes.iter().map(|node| node.name.as_str()));
            let hint = meant.map(|meant| format!("; is {meant} meant?")).unwrap_or_default();
            return Some(format!("there is no node {}{hint}", shown(name)));
        };
        if before.is_some_and(|before| !before.contains(&at)) {
            return Some(format!("{name} does not come before this node: add it to needs"));
        }
        match rest {
            ["output", field, ..] => {
                let outputs = self.nodes.get(at)?.kind.as_ref()?.outputs();
                if outputs.is_empty() { None } else { one_of(&format!("the output of {name}"), field, outputs) }
            }
            [field, ..] => one_of(&format!("steps.{name}"), field, STEP),
            [] => None,
        }
    }
}

impl Links {
    /// What comes directly before a node.
    fn before(&self, at: usize) -> Vec<usize> {
        let needs = self.needs.get(at).into_iter().flatten().map(|need| need.node);
        let failing = self.on_failure.iter().enumerate().filter(|(_, node)| **node == Some(at)).map(|(from, _)| from);
        needs.chain(failing).collect()
    }

    fn all_before(&self, at: usize) -> BTreeSet<usize> {
        let (mut found, mut open) = (BTreeSet::new(), self.before(at));
        while let Some(next) = open.pop() {
            if found.insert(next) {
                open.extend(self.before(next));
            }
        }
        found
    }

    /// A circle through a node: itself, what it waits for, and so on.
    fn circle(&self, at: usize) -> Option<Vec<usize>> {
        let mut came_from = BTreeMap::new();
        let mut open = vec![at];
        while let Some(next) = open.pop() {
            for before in self.before(next) {
                if before == at {
                    let mut circle = vec![at];
                    let mut step = next;
                    while step != at {
                        circle.push(step);
                        step = *came_from.get(&step)?;
                    }
                    // Found backwards: from what is waited for to who waits.
                    circle.get_mut(1..)?.reverse();
                    circle.push(at);
                    return Some(circle);
                }
                if let Entry::Vacant(slot) = came_from.entry(before) {
                    slot.insert(next);
                    open.push(before);
                }
            }
        }
        None
    }
}

fn note(wrong: Option<String>, reference: &Reference, source: &mut Source<'_>) {
    if let Some(wrong) = wrong {
        source.problem(reference.at, wrong);
    }
}

/// What is wrong with a path of an event, if anything is. Without types its data may be anything.
fn of_event(name: &str, rest: &[&str], types: Option<&[&'static EventType]>) -> Option<String> {
    match (rest, types) {
        (["data", field, ..], Some(types)) => {
            let is_known = types.iter().any(|event| event.fields.contains(field));
            let fields: Vec<_> = types.iter().flat_map(|event| event.fields.iter().copied()).collect();
            if is_known { None } else { one_of(&format!("{name}.data"), field, &fields) }
        }
        ([field, ..], _) => one_of(name, field, EVENT),
        ([], _) => None,
    }
}

fn one_of(of: &str, field: &str, known: &[&str]) -> Option<String> {
    if known.contains(&field) {
        return None;
    }
    let meant = similar(field, known.iter().copied());
    let hint = meant.map_or_else(|| format!("; it has {}", known.join(", ")), |meant| format!("; is {meant} meant?"));
    Some(format!("{of} has no {}{hint}", shown(field)))
}
