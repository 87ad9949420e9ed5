//! Random graphs, run in random orders with random ends.

use proptest::prelude::*;

use super::*;

/// A node: what it needs of those before it, how it joins, its kind, and who makes good for it.
#[derive(Debug, Clone)]
struct Shape {
    needs: Vec<usize>,
    any: bool,
    condition: bool,
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let shape = (prop::collection::vec(any::<prop::sample::Index>(), 0..4), any::<bool>(), any::<bool>());
    prop::collection::vec(shape, 1..25).prop_map(|shapes| {
        let shape = |(at, (needs, any, condition)): (usize, (Vec<prop::sample::Index>, bool, bool))| {
            let mut needs: Vec<_> = if at == 0 { vec![] } else { needs.iter().map(|it| it.index(at)).collect() };
            needs.sort_unstable();
            needs.dedup();
            Shape { needs, any, condition }
        };
        shapes.into_iter().enumerate().map(shape).collect()
    })
}

fn workflow(shapes: &[Shape], mends: bool) -> Workflow {
    let mut builder = Builder::new("random").on_request();
    if mends {
        builder = builder.set("on_failure", "mend").node("mend", NodeBuilder::new("join"));
    }
    for (at, shape) in shapes.iter().enumerate() {
        let node = NodeBuilder::new(if shape.condition { "condition" } else { "join" });
        let node = if shape.condition { node.set("if", "true") } else { node };
        let node = node.set("join", if shape.any { "any" } else { "all" });
        let need = |other: &usize| {
            let branch = if other.is_multiple_of(2) { ".yes" } else { ".no" };
            format!("n{other}{}", if shapes[*other].condition { branch } else { "" })
        };
        let needs: Vec<_> = shape.needs.iter().map(need).map(toml::Value::from).collect();
        builder = builder.node(&format!("n{at}"), node.set("needs", needs));
    }
    builder.build().unwrap()
}

proptest! {
    #[test]
    fn each_node_runs_at_most_once_and_behind_what_it_needs(
        shapes in shapes(),
        mends in any::<bool>(),
        choices in prop::collection::vec(any::<u8>(), 200),
    ) {
        let workflow = workflow(&shapes, mends);
        let mut steps = vec![StepStatus::default(); workflow.nodes.len()];
        let mut begun = vec![0; steps.len()];
        let mut choices = choices.into_iter().cycle();
        let mut choose = |most: usize| usize::from(choices.next().unwrap()) % most;
        let outcome = loop {
            let next = plan(&workflow, &steps);
            if let Some(outcome) = next.outcome {
                break outcome;
            }
            for at in next.skip {
                prop_assert_eq!(steps[at].state, StepState::Pending);
                steps[at].state = StepState::Skipped;
            }
            for at in next.start {
                begun[at] += 1;
                let node = &workflow.nodes[at];
                let open = |need: &Need| {
                    let before = steps[need.node];
                    before.state == StepState::Done && (need.branch.is_none() || need.branch == before.branch)
                };
                let may_begin = match (node.is_compensation, node.join) {
                    (true, _) => steps.iter().any(|step| step.state == StepState::Failed),
                    (_, Join::All) => node.needs.iter().all(open),
                    (_, Join::Any) => node.needs.is_empty() || node.needs.iter().any(open),
                };
                prop_assert!(may_begin);
                prop_assert!(node.needs.iter().all(|need| need.node < at));
                steps[at].state = StepState::Running;
            }
            // One of those that are under way comes to its end.
            let running: Vec<_> = (0..steps.len()).filter(|at| steps[*at].state == StepState::Running).collect();
            prop_assert!(!running.is_empty(), "nothing is under way, and the run is not over: {:?}", steps);
            let at = running[choose(running.len())];
            steps[at].state = if choose(10) == 0 { StepState::Failed } else { StepState::Done };
            if let [yes, no] = workflow.nodes[at].kind.branches() {
                steps[at].branch = Some(if choose(2) == 0 { *yes } else { *no });
            }
        };
        prop_assert!(begun.iter().all(|times| *times <= 1), "{:?}", begun);
        let failed = steps.iter().any(|step| step.state == StepState::Failed);
        prop_assert_eq!(outcome == Outcome::Done, !failed);
        prop_assert_eq!(plan(&workflow, &steps).start, Vec::<usize>::new(), "it stays over");
    }
}
