//! `trunkline messages`: says something through a running gateway.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use trunkline_core::ContactAddress;

use super::conversations::{find, named, text};
use super::gateway_api::{GatewayApi, GatewayArgs};
use super::run::runtime;
use super::{failed, print, say};

/// How often it is looked what became of a message.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest text that is read from standard input, in bytes; no message is longer.
const MAX_INPUT: u64 = 64 << 10;

#[derive(Subcommand)]
pub(super) enum MessagesCommand {
    /// Sends a message, once, in order with everything else in its conversation
    Send(Box<SendArgs>),
}

#[derive(Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
    /// The conversation: its id, or the provider's name for it
    #[arg(long, value_name = "ID", required_unless_present = "to", conflicts_with = "to")]
    conversation: Option<String>,
    /// The person: `+15550001111`, `whatsapp:+15550001111`; the latest conversation with them that is not closed
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    to: Option<String>,
    /// A template in place of a text: `HX…`
    #[arg(long, value_name = "SID")]
    template: Option<String>,
    /// What is filled in, such as `1=tomorrow`; may be given several times
    #[arg(long, value_name = "NAME=VALUE", requires = "template", value_parser = variable)]
    var: Vec<(String, String)>,
    /// Names the message: one of the same name in the same conversation is not sent again
    #[arg(long)]
    id: Option<String>,
    /// Who speaks [default: operator]
    #[arg(long)]
    author: Option<String>,
    /// Wait until the provider has it, at most so many seconds
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// What to say; `-` reads it from standard input
    #[arg(required_unless_present = "template")]
    body: Option<String>,
}

/// A person's address, as conversations have it.
fn address(text: &str) -> Result<String, String> {
    ContactAddress::parse(text)
        .map(|address| address.to_wire())
        .map_err(|_| "must be +15550001111, whatsapp:+15550001111 or a chat identity".to_owned())
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(command: &MessagesCommand) -> ExitCode {
    let MessagesCommand::Send(args) = command;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let api = match GatewayApi::open(&args.gateway) {
        Ok(api) => api,
        Err(code) => return code,
    };
    runtime.block_on(send(&api, args)).map_or_else(|reason| failed(&reason), |()| ExitCode::SUCCESS)
}

async fn send(api: &GatewayApi, args: &SendArgs) -> Result<(), String> {
    let wish = wish(args)?;
    let conversation = conversation(api, args).await?;
    let id = text(&conversation, "id");
    let taken = api.post(&["conversations", id, "messages"], &wish).await?;
    let outbox_id = text(&taken, "outbox_id");
    let outcome = match args.wait {
        Some(seconds) => Some(outcome(api, id, outbox_id, Duration::from_secs(seconds)).await?),
        None => None,
    };
    if args.json {
        print(&json!({ "conversation": id, "accepted": taken, "message": outcome }).to_string());
    } else {
        print(outbox_id);
    }
    if taken.get("new") == Some(&Value::Bool(false)) {
        say("a message of this id was taken before; it is not sent again");
    }
    match outcome {
        Some(message) if matches!(text(&message, "status"), "failed" | "undelivered") => {
            let (code, meaning) = (text(&message, "error_code"), text(&message, "error_meaning"));
            Err(format!("the message failed: {code} {meaning}").trim_end().to_owned())
        }
        Some(message) => {
            say(&format!("it is {}", text(&message, "status")));
            Ok(())
        }
        None => Ok(()),
    }
}

/// What the API is asked to say.
fn wish(args: &SendArgs) -> Result<Value, String> {
    let body = match args.body.as_deref() {
        Some("-") => {
            let mut read = String::new();
            let input = std::io::stdin().take(MAX_INPUT).read_to_string(&mut read);
            input.map_err(|error| format!("standard input cannot be read: {error}"))?;
            Some(read)
        }
        body => body.map(str::to_owned),
    };
    let mut variables = Map::new();
    for (name, value) in &args.var {
        variables.insert(name.clone(), json!(value));
    }
    let mut wish = Map::new();
    let fields = [("text", body), ("content_sid", args.template.clone()), ("id", args.id.clone())];
    for (name, value) in fields.into_iter().chain([("author", args.author.clone())]) {
        wish.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    if !variables.is_empty() {
        wish.insert("content_variables".to_owned(), Value::Object(variables));
    }
    Ok(Value::Object(wish))
}

async fn conversation(api: &GatewayApi, args: &SendArgs) -> Result<Value, String> {
    if let Some(id) = &args.conversation {
        return named(api, id).await;
    }
    let to = args.to.as_deref().unwrap_or_default();
    let found = find(api, |one| text(one, "address") == to && text(one, "state") != "closed").await?;
    found.ok_or_else(|| "there is no open conversation with that address; they have to write first".to_owned())
}

/// Waits until the message has left, and returns it.
async fn outcome(api: &GatewayApi, conversation: &str, outbox_id: &str, most: Duration) -> Result<Value, String> {
    let until = Instant::now() + most;
    loop {
        let mut page = api.get(&["conversations", conversation, "messages"], &[("limit", "100")]).await?;
        let messages = page.get_mut("messages").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        let ours = messages.into_iter().find(|message| text(message, "outbox_id") == outbox_id);
        if let Some(message) = ours.filter(|message| text(message, "status") != "queued") {
            return Ok(message);
        }
        if Instant::now() >= until {
            return Err(format!("the message {outbox_id} is kept, and the provider does not have it yet"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
