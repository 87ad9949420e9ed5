//! The measurements of calls run, small: what they find out is asserted where it does not depend on the machine.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Program;

#[expect(clippy::disallowed_methods, reason = "a path of the machine, no setting")]
async fn bench(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    // The voice of the callers is a program of this machine.
    let env = BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]);
    let done = Program::run(folder.path(), &env, &[&["bench", "calls"], args].concat()).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done.stdout
}

async fn row(args: &[&str]) -> Value {
    let out = bench(&[&["--calls", "3", "--json"], args].concat()).await;
    serde_json::from_str::<Value>(&out).unwrap()["medians"][0].clone()
}

#[tokio::test]
async fn every_frame_of_the_transport_comes_back_in_order_and_unchanged() {
    let row = row(&["--path", "transport", "--seconds", "1"]).await;
    assert_eq!((row["frames"].as_u64(), row["frames_back"].as_u64()), (Some(150), Some(150)), "{row}");
    assert_eq!((row["lost"].as_u64(), row["wrong"].as_u64()), (Some(0), Some(0)), "{row}");
}

#[tokio::test]
async fn callers_of_the_pipeline_are_answered_and_silence_the_answer_they_talk_over() {
    // A cycle of question and interruption takes 8 s.
    let row = row(&["--path", "pipeline", "--seconds", "8"]).await;
    assert_eq!(row["frames"].as_u64(), Some(1_200), "{row}");
    assert!(row["answers"].as_u64().unwrap() >= 3 && row["clears"].as_u64().unwrap() >= 1, "{row}");
}

#[tokio::test]
async fn short_calls_leave_nothing_behind() {
    let told = bench(&["--path", "pipeline", "--leak", "40"]).await;
    assert!(told.contains("short calls       40") && told.contains("live afterwards   0"), "{told}");
}
