//! The emulator against Twilio's own API description: every operation of the document is there, and whatever random
//! callers do, every answer has a status and a body that the document allows, and the state is that of a small model.

mod document;
mod every_operation;
mod model;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::document::Document;
use self::model::{Model, Op};
use crate::support::World;

fn operation() -> impl Strategy<Value = Op> {
    // Small numbers, so that operations meet.
    let (place, who, name) = (0..6_usize, 0..3_usize, 0..3_usize);
    prop_oneof![
        3 => (any::<bool>(), proptest::option::of(name.clone())).prop_map(|(second, name)| Op::Create { second, name }),
        2 => (place.clone(), name).prop_map(|(place, name)| Op::Rename { place, name }),
        1 => place.clone().prop_map(Op::Close),
        1 => place.clone().prop_map(Op::Delete),
        4 => (place.clone(), who.clone()).prop_map(|(place, who)| Op::Join { place, who }),
        2 => (place.clone(), who.clone()).prop_map(|(place, who)| Op::Leave { place, who }),
        2 => (place.clone(), who.clone(), 0..8_u64).prop_map(|(place, who, index)| Op::Read { place, who, index }),
        6 => (place.clone(), who.clone()).prop_map(|(place, who)| Op::Say { place, who }),
        2 => (place.clone(), 0..6_usize).prop_map(|(place, message)| Op::Edit { place, message }),
        2 => (place.clone(), 0..6_usize).prop_map(|(place, message)| Op::Unsay { place, message }),
        1 => place.clone().prop_map(Op::Hook),
        1 => (any::<bool>(), who.clone()).prop_map(|(second, who)| Op::CreateUser { second, who }),
        1 => (any::<bool>(), who.clone()).prop_map(|(second, who)| Op::DeleteUser { second, who }),
        2 => place.prop_map(Op::List),
        1 => (any::<bool>(), who).prop_map(|(second, who)| Op::ListOf { second, who }),
    ]
}

#[test]
fn random_callers_get_what_the_document_and_a_model_say() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let document = Document::conversations();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() });
    let operations = proptest::collection::vec(operation(), 1..OPERATIONS);
    let outcome = runner.run(&operations, |operations| {
        runtime.block_on(async {
            let world = World::start().await;
            let mut model = Model::new(&world, &document).await;
            for one in operations {
                model.carry_out(one).await;
            }
            model.compare().await;
            world.emulator.shutdown().await;
        });
        Ok(())
    });
    outcome.unwrap();
}

const CASES: u32 = 24;
const OPERATIONS: usize = 60;
