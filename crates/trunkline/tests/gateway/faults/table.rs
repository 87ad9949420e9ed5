//! `docs/faults.md` against the faults that there are and the tests that show them.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::support::{World, answer};

/// The rows of the table, each as its cells.
fn rows() -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let page = std::fs::read_to_string(page).unwrap();
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    page.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// What stands between the marks of code in a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The faults that the emulator knows, from what it says of one that it does not know.
async fn kinds() -> BTreeSet<String> {
    let world = World::without_gateway(&[]).await;
    let url = format!("http://{}/emulator/v1/faults", world.emulator_address);
    let refused = answer(world.http.post(url).json(&json!({"fault": {"kind": "unheard_of"}}))).await;
    let message = refused.body["message"].as_str().unwrap();
    let (_, known) = message.split_once("expected one of ").unwrap();
    quoted(known).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_fault_has_a_row_and_every_row_a_fault() {
    let listed: BTreeSet<String> = rows().iter().map(|cells| quoted(&cells[0])[0].to_owned()).collect();
    let kinds = kinds().await;
    assert!(kinds.len() >= 16, "{kinds:?}");
    assert_eq!(listed, kinds);
}

#[test]
fn every_row_names_tests_that_exist() {
    for cells in rows() {
        let [fault, .., tests] = cells.as_slice() else { panic!("an empty row") };
        assert_eq!(cells.len(), 5, "{fault}");
        let names = quoted(tests);
        assert!(!names.is_empty(), "{fault}");
        for name in names {
            let (module, test) = name.rsplit_once("::").unwrap();
            let file = format!("tests/gateway/{}.rs", module.replace("::", "/"));
            let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            assert!(source.contains(&format!("#[tokio::test]\nasync fn {test}()")), "{fault}: {name}");
            let kind = quoted(fault)[0];
            assert!(source.contains(&format!("\"kind\": \"{kind}\"")), "{name} does not cause {kind}");
        }
    }
}
