//! `trunkline replay`: what was said before, to an agent of now. Nothing is sent to anybody.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use trunkline::agents::{DEFAULT, Recorded, rehearse};
use trunkline::config::AgentsSettings;
use trunkline_agent::{Agent, AgentError, AgentEvent, Role, Turn, Utterance};
use trunkline_core::{Channel, Pii};

use super::conversations::{all_messages, named, text};
use super::gateway_api::{GatewayApi, GatewayArgs};
use super::run::{reader, runtime};
use super::{FAILED, ServeArgs, failed, misconfigured, print, say};

/// What an agent sees of what was said before, in utterances.
const MAX_HISTORY: usize = 60;
/// How long one answer may take.
const DEADLINE: Duration = Duration::from_mins(1);

#[derive(Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
    /// The agent of the configuration that answers now
    #[arg(long, value_name = "NAME", default_value = DEFAULT)]
    agent: String,
    /// Configuration file of that agent [default: the gateway's]
    #[arg(long, value_name = "FILE")]
    against: Option<std::path::PathBuf>,
    /// Print one JSON object a turn
    #[arg(long)]
    json: bool,
    /// End with 1 if an answer has other words now
    #[arg(long)]
    strict: bool,
    /// The conversation (its id, or the provider's name for it), or the call
    id: String,
}

/// Something that was asked and answered.
struct Asked {
    input: Vec<String>,
    answer: String,
    /// How long the answer took then.
    took: Option<Duration>,
}

/// What was said, in turns.
struct Past {
    channel: Channel,
    asked: Vec<Asked>,
    tools: Vec<Recorded>,
}

pub(super) fn run(args: &ReplayArgs) -> ExitCode {
    replayed(args).unwrap_or_else(|code| code)
}

fn replayed(args: &ReplayArgs) -> Result<ExitCode, ExitCode> {
    let api = GatewayApi::open(&args.gateway)?;
    let runtime = runtime()?;
    let serve = ServeArgs { config: args.against.clone().or(args.gateway.config.clone()), ..ServeArgs::default() };
    let settings =
        reader(&serve).and_then(|reader| AgentsSettings::load(&reader)).map_err(|error| misconfigured(&error))?;
    let different = runtime.block_on(async {
        let past = past(&api, &args.id).await.map_err(|reason| failed(&reason))?;
        if past.asked.is_empty() {
            return Err(failed("nothing was asked and answered there"));
        }
        let agents = rehearse(&settings, past.tools).await.map_err(|error| misconfigured(&error))?;
        let agent = agents.named(&args.agent).ok_or_else(|| {
            failed(&format!("there is no agent {}; there are: {}", args.agent, agents.names().join(", ")))
        })?;
        Ok(play(&*agent, args, past.channel, &past.asked).await)
    });
    runtime.shutdown_background();
    Ok(if different? > 0 && args.strict { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Has the agent answer each turn, with what was said then before it; returns how many answers have other words.
async fn play(agent: &dyn Agent, args: &ReplayArgs, channel: Channel, past: &[Asked]) -> usize {
    let (mut history, mut memories) = (Vec::new(), BTreeMap::new());
    let (mut different, mut broken) = (0, 0);
    for (number, asked) in past.iter().enumerate() {
        let turn = Turn {
            id: format!("replay-{}-{number}", args.id),
            attempt: 1,
            deadline: DEADLINE,
            traceparent: None,
            conversation: "replay".to_owned(),
            contact: "replay".to_owned(),
            channel,
            input: asked.input.iter().map(|text| Pii::new(text.clone())).collect(),
            attachments: Vec::new(),
            history: latest(&history),
            memories: memories.clone(),
            recalled: Vec::new(),
            summary: None,
        };
        let begun = Instant::now();
        let now = tokio::time::timeout(DEADLINE, answer(agent, turn, &mut memories)).await;
        let now = now.unwrap_or(Err(AgentError::Timeout(DEADLINE)));
        let took = begun.elapsed();
        let is_same = now.as_ref().is_ok_and(|now| now.trim() == asked.answer.trim());
        different += usize::from(!is_same);
        broken += usize::from(now.is_err());
        show(args.json, number + 1, asked, now.as_ref(), took, is_same);
        // What comes next was said to the answer of then.
        history.extend(asked.input.iter().map(|text| (Role::Person, text.clone())));
        history.push((Role::Agent, asked.answer.clone()));
    }
    say(&format!("{different} of {} answers have other words, {broken} of them none", past.len()));
    different
}

fn latest(history: &[(Role, String)]) -> Vec<Utterance> {
    let from = history.len().saturating_sub(MAX_HISTORY);
    let latest = history.iter().skip(from);
    latest.map(|(role, text)| Utterance { role: *role, text: Pii::new(text.clone()) }).collect()
}

async fn answer(agent: &dyn Agent, turn: Turn, memories: &mut BTreeMap<String, String>) -> Result<String, AgentError> {
    let mut events = agent.respond(turn).await?;
    let mut said = String::new();
    while let Some(event) = events.next().await {
        match event? {
            AgentEvent::Text(piece) => said.push_str(piece.expose()),
            AgentEvent::Remember { name, value } => drop(memories.insert(name, value.into_inner())),
            _ => {}
        }
    }
    Ok(said)
}

fn show(as_json: bool, number: usize, asked: &Asked, now: Result<&String, &AgentError>, took: Duration, is_same: bool) {
    let then_ms = asked.took.map(|took| took.as_millis());
    let (words, code) = (now.map_or("", String::as_str), now.err().map(AgentError::code));
    if as_json {
        let turn = json!({
            "turn": number, "person": asked.input, "then": asked.answer, "now": words, "error_code": code, "same": is_same,
            "then_ms": then_ms.and_then(|then| u64::try_from(then).ok()), "now_ms": u64::try_from(took.as_millis()).ok(),
        });
        return print(&turn.to_string());
    }
    print(&format!("{number:>3}  person  {}", asked.input.join(" / ")));
    let time = then_ms.map_or_else(|| "?".to_owned(), |then| then.to_string());
    print(&format!("     then    {}  ({time} ms)", asked.answer));
    match code {
        Some(code) => print(&format!("   ! now     {code}  ({} ms)", took.as_millis())),
        None if is_same => print(&format!("     now     the same  ({} ms)", took.as_millis())),
        None => print(&format!("   ~ now     {words}  ({} ms)", took.as_millis())),
    }
}

/// A conversation or a call of that name, as the gateway has kept it.
async fn past(api: &GatewayApi, id: &str) -> Result<Past, String> {
    if let Ok(call) = api.get(&["calls", id], &[]).await {
        return Ok(of_call(&call));
    }
    let conversation = named(api, id).await?;
    let messages = all_messages(api, text(&conversation, "id")).await?;
    let tools = api.get(&["conversations", text(&conversation, "id"), "tools"], &[]).await?;
    let channel = text(&conversation, "channel").parse().unwrap_or(Channel::Sms);
    Ok(Past { channel, asked: of_messages(&messages), tools: recorded(&tools) })
}

fn recorded(value: &Value) -> Vec<Recorded> {
    let tools = value.get("tools").and_then(Value::as_array).into_iter().flatten();
    let one = |tool: &Value| Recorded {
        tool: text(tool, "tool").to_owned(),
        arguments: text(tool, "arguments").to_owned(),
        result: text(tool, "result").to_owned(),
    };
    tools.map(one).collect()
}

fn of_call(call: &Value) -> Past {
    let turns = call.get("turns").and_then(Value::as_array).into_iter().flatten();
    let answers = turns.filter(|turn| text(turn, "kind") == "answer");
    let one = |turn: &Value| Asked {
        input: vec![text(turn, "person").to_owned()],
        answer: text(turn, "agent").to_owned(),
        took: turn.get("latency_ms").and_then(Value::as_u64).map(Duration::from_millis),
    };
    Past { channel: Channel::Voice, asked: answers.map(one).collect(), tools: recorded(call) }
}

/// Texts of the person that follow each other are one question; what follows them is the answer.
fn of_messages(messages: &[Value]) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut last_in: Option<Timestamp> = None;
    let mut is_open = false;
    for message in messages.iter().filter(|message| message.get("removed_at").is_none_or(Value::is_null)) {
        let words = text(message, "text").to_owned();
        let at: Option<Timestamp> = text(message, "at").parse().ok();
        if text(message, "direction") == "in" {
            match asked.last_mut().filter(|_| is_open) {
                Some(open) => open.input.push(words),
                None => asked.push(Asked { input: vec![words], answer: String::new(), took: None }),
            }
            (last_in, is_open) = (at, true);
        } else if let Some(open) = asked.last_mut() {
            if open.answer.is_empty() {
                let took = last_in.zip(at).map(|(asked, answered)| answered.duration_since(asked));
                open.took = took.and_then(|took| Duration::try_from(took).ok());
            } else {
                open.answer.push('\n');
            }
            open.answer.push_str(&words);
            is_open = false;
        }
    }
    asked.retain(|one| !one.answer.is_empty());
    asked
}
