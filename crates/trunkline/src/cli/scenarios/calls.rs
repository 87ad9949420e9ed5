//! A person who calls.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::file::Step;
use super::stage::{LOOK_EVERY, Stage};
use super::text;

/// How long the greeting may take.
const GREETING: Duration = Duration::from_secs(20);
/// How long a call may go on after the last word.
const ENDING: Duration = Duration::from_secs(30);
/// Words beyond what a step allows are still waited for, so that a slow answer is told from none.
const LATE: Duration = Duration::from_secs(10);

/// Calls, says everything, and judges each answer by what the gateway has kept of the call.
pub(super) async fn play(stage: &Stage, person: &str, steps: &[Step]) -> Result<Vec<String>, String> {
    let mut script = vec![json!({"wait_for_speech": {"timeout_ms": millis(GREETING)}})];
    let mut longest = GREETING + ENDING;
    for step in steps {
        let patience = step.within + LATE;
        longest += patience + LATE;
        script.push(json!({"say": step.say}));
        script.push(json!({"wait_for_speech": {"timeout_ms": millis(patience)}}));
    }
    script.push(json!({"hang_up": true}));
    let calls = past(stage).await?.len();
    let body = json!({"from": person, "to": stage.number(), "steps": script});
    stage.control(Method::POST, "/calls", Some(&body)).await?;
    let deadline = Instant::now() + longest;
    let call = loop {
        let past = past(stage).await?;
        if past.len() > calls
            && let Some(call) = past
                .iter()
                .find(|call| text(call, "contact") == person && call.get("ended").is_some_and(Value::is_string))
        {
            break stage.api(&format!("/calls/{}", text(call, "call"))).await?;
        }
        if Instant::now() >= deadline {
            return Err(format!("the call was not over within {} s", longest.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    Ok(judge(&call, steps))
}

fn judge(call: &Value, steps: &[Step]) -> Vec<String> {
    let turns = call.get("turns").and_then(Value::as_array).into_iter().flatten();
    let mut turns = turns.filter(|turn| text(turn, "kind") == "answer");
    let tools = call.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut wrong = Vec::new();
    for step in steps {
        let Some(turn) = turns.next() else {
            wrong.push(step.wrong("no answer was heard"));
            break;
        };
        let took = Duration::from_millis(turn.get("latency_ms").and_then(Value::as_u64).unwrap_or_default());
        let number = turn.get("number").and_then(Value::as_i64).unwrap_or_default();
        let mine = tools.iter().filter(|tool| text(tool, "turn").rsplit('/').next() == Some(&number.to_string()));
        let called: Vec<_> = mine.map(|tool| text(tool, "tool").to_owned()).collect();
        wrong.extend(step.judge(text(turn, "agent"), took, &called));
    }
    wrong
}

async fn past(stage: &Stage) -> Result<Vec<Value>, String> {
    let list = stage.api("/calls?limit=500").await?;
    Ok(list.get("past").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
