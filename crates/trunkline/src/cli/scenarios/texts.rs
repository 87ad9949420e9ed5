//! A person who texts.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::file::{Channel, Step};
use super::stage::{LOOK_EVERY, Stage};
use super::text;

/// After an answer, another one that belongs to it comes within this time.
const QUIET: Duration = Duration::from_millis(400);

/// Says everything, and judges each answer.
pub(super) async fn play(stage: &Stage, person: &str, channel: Channel, steps: &[Step]) -> Result<Vec<String>, String> {
    let address = if channel == Channel::Whatsapp { format!("whatsapp:{person}") } else { person.to_owned() };
    let mut wrong = Vec::new();
    for step in steps {
        let before = received(stage, &address).await?.len();
        let called = tools(stage, &address).await?.len();
        let begun = Instant::now();
        let channel = if channel == Channel::Whatsapp { "whatsapp" } else { "sms" };
        let body = json!({"from": person, "body": step.say, "channel": channel});
        stage.control(Method::POST, "/messages", Some(&body)).await?;
        let (answers, took) = listen(stage, &address, before, begun, step.within).await?;
        let answer = answers.join("\n");
        if step.is_silent {
            if !answers.is_empty() {
                wrong.push(step.wrong(&format!("nothing was expected, and {answer:?} came")));
            }
        } else if answers.is_empty() {
            wrong.push(step.wrong(&format!("no answer came within {} ms", step.within.as_millis())));
            // What comes next would be taken for the answer to something else.
            break;
        } else {
            let called: Vec<_> = tools(stage, &address).await?.split_off(called);
            wrong.extend(step.judge(&answer, took, &called));
        }
        if let Some(wanted) = &step.state {
            let conversation = conversation(stage, &address).await?;
            let is = conversation.as_ref().map_or("unknown", |one| text(one, "state"));
            if is != wanted {
                wrong.push(step.wrong(&format!("the conversation is {is}, not {wanted}")));
            }
        }
    }
    Ok(wrong)
}

/// The answers that come from `before` on, and when the first one came.
async fn listen(
    stage: &Stage,
    address: &str,
    before: usize,
    begun: Instant,
    within: Duration,
) -> Result<(Vec<String>, Duration), String> {
    let mut heard = 0;
    let (mut first, mut last) = (None, begun);
    loop {
        let answers = received(stage, address).await?.split_off(before);
        if answers.len() > heard {
            heard = answers.len();
            last = Instant::now();
            first.get_or_insert_with(|| begun.elapsed());
        }
        match first {
            Some(took) if last.elapsed() >= QUIET => return Ok((answers, took)),
            None if begun.elapsed() >= within => return Ok((answers, begun.elapsed())),
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

async fn received(stage: &Stage, address: &str) -> Result<Vec<String>, String> {
    let list = stage.control(Method::GET, &format!("/phones/{address}/messages"), None).await?;
    let lines = list.get("messages").and_then(Value::as_array).into_iter().flatten();
    Ok(lines.filter(|line| text(line, "direction") == "received").map(|line| text(line, "body").to_owned()).collect())
}

async fn conversation(stage: &Stage, address: &str) -> Result<Option<Value>, String> {
    let list = stage.api("/conversations?limit=500").await?;
    let mut known = list.get("conversations").and_then(Value::as_array).into_iter().flatten();
    Ok(known.find(|one| text(one, "address") == address).cloned())
}

/// The tools that were called in the person's conversation, in order.
async fn tools(stage: &Stage, address: &str) -> Result<Vec<String>, String> {
    let Some(conversation) = conversation(stage, address).await? else { return Ok(Vec::new()) };
    let list = stage.api(&format!("/conversations/{}/tools", text(&conversation, "id"))).await?;
    Ok(super::tool_names(&list))
}
