//! `trunkline conversations`: what a running gateway knows of its conversations.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::gateway_api::{GatewayApi, GatewayArgs};
use super::run::runtime;
use super::{failed, print, say};

/// What the API gives at once, at most.
const PAGE: usize = 500;
/// Conversations that are looked through for a provider's name or an address.
const MAX_LOOKED_THROUGH: usize = 20_000;
/// Messages of one conversation that are exported; they are kept in memory, because the API gives the newest first.
const MAX_EXPORTED: usize = 100_000;
/// What a list shows of a message, in characters.
const SHOWN: usize = 60;

#[derive(Subcommand)]
pub(super) enum ConversationsCommand {
    /// Lists conversations, the latest change first
    List(ListArgs),
    /// Shows a conversation and its last messages
    Show {
        #[command(flatten)]
        one: OneArgs,
        /// The last so many messages
        #[arg(long, default_value_t = 20)]
        messages: usize,
    },
    /// Closes a conversation at the provider, for good; what was said is kept
    Close(OneArgs),
    /// Has a person answer in place of the agents; what waits is answered by `messages send`
    Take(OneArgs),
    /// Has the agents answer again, beginning with what waits
    Resume(OneArgs),
    /// Names the agent that answers from now on
    Agent {
        #[command(flatten)]
        one: OneArgs,
        /// Its name; without one the routes choose
        agent: Option<String>,
    },
    /// Prints all messages of conversations, the oldest first
    Export {
        #[command(flatten)]
        gateway: GatewayArgs,
        /// One JSON object a line instead of text
        #[arg(long)]
        json: bool,
        /// Every conversation
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Their ids, or the provider's names for them
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
    },
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only those in this state
    #[arg(long, value_parser = ["idle", "answering", "failed", "handed_over", "opted_out", "closed"])]
    state: Option<String>,
    /// Only those of this channel
    #[arg(long, value_parser = ["sms", "whatsapp", "chat"])]
    channel: Option<String>,
}

#[derive(Args)]
pub(super) struct OneArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Its id, or the provider's name for it
    id: String,
}

pub(super) fn run(command: &ConversationsCommand) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let gateway = match command {
        ConversationsCommand::List(args) => &args.gateway,
        ConversationsCommand::Show { one, .. }
        | ConversationsCommand::Close(one)
        | ConversationsCommand::Take(one)
        | ConversationsCommand::Resume(one)
        | ConversationsCommand::Agent { one, .. } => &one.gateway,
        ConversationsCommand::Export { gateway, .. } => gateway,
    };
    let api = match GatewayApi::open(gateway) {
        Ok(api) => api,
        Err(code) => return code,
    };
    let outcome = runtime.block_on(async {
        match command {
            ConversationsCommand::List(args) => list(&api, args).await,
            ConversationsCommand::Show { one, messages } => show(&api, one, *messages).await,
            ConversationsCommand::Close(one) => order(&api, one, "close", &json!({}), "closed").await,
            ConversationsCommand::Take(one) => order(&api, one, "hand-over", &json!({}), "a person answers").await,
            ConversationsCommand::Resume(one) => order(&api, one, "resume", &json!({}), "the agents answer").await,
            ConversationsCommand::Agent { one, agent } => {
                order(&api, one, "agent", &json!({ "agent": agent }), "the agent is chosen").await
            }
            ConversationsCommand::Export { json, all, ids, .. } => export(&api, *json, *all, ids).await,
        }
    });
    outcome.map_or_else(|reason| failed(&reason), |()| ExitCode::SUCCESS)
}

/// Conversations as they are listed, a page at a time.
struct Pages<'a> {
    api: &'a GatewayApi,
    before: Option<String>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    const fn new(api: &'a GatewayApi) -> Self {
        Self { api, before: None, is_over: false }
    }

    async fn next(&mut self) -> Result<Vec<Value>, String> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let limit = PAGE.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(self.before.as_deref().map(|before| ("before", before)));
        let mut page = self.api.get(&["conversations"], &query).await?;
        self.before = page.get("next").and_then(Value::as_str).map(str::to_owned);
        self.is_over = self.before.is_none();
        Ok(page.get_mut("conversations").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default())
    }
}

/// The latest conversation that `fits`.
pub(super) async fn find(api: &GatewayApi, fits: impl Fn(&Value) -> bool) -> Result<Option<Value>, String> {
    let (mut pages, mut seen) = (Pages::new(api), 0);
    loop {
        let page = pages.next().await?;
        seen += page.len();
        if page.is_empty() || seen > MAX_LOOKED_THROUGH {
            return Ok(None);
        }
        if let Some(found) = page.into_iter().find(|one| fits(one)) {
            return Ok(Some(found));
        }
    }
}

/// A conversation by its id or the provider's name for it.
pub(super) async fn named(api: &GatewayApi, id: &str) -> Result<Value, String> {
    let is_name_at_provider = id.starts_with("CH") || id.starts_with("pair-");
    if !is_name_at_provider {
        return api.get(&["conversations", id], &[]).await;
    }
    let found = find(api, |one| text(one, "external_id") == id).await?;
    found.ok_or_else(|| format!("the gateway knows no conversation of the name {id}"))
}

/// A field that is a text; empty if it is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

async fn list(api: &GatewayApi, args: &ListArgs) -> Result<(), String> {
    let is_wanted = |wanted: &Option<String>, one: &Value, key| {
        wanted.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(text(one, key)))
    };
    let (mut pages, mut shown) = (Pages::new(api), 0);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        for one in page {
            if !is_wanted(&args.state, &one, "state") || !is_wanted(&args.channel, &one, "channel") {
                continue;
            }
            if shown == args.limit {
                say(&format!("{shown} shown, there are more: --limit"));
                return Ok(());
            }
            shown += 1;
            print(&if args.json { one.to_string() } else { line(&one) });
        }
    }
    say(&format!("{shown} shown"));
    Ok(())
}

/// A conversation in a list.
fn line(one: &Value) -> String {
    let last = one.get("last_message").unwrap_or(&Value::Null);
    let arrow = match text(last, "direction") {
        "in" => "<",
        "out" => ">",
        _ => " ",
    };
    format!(
        "{}  {:<16} {:<8} {:<11} {}  {:<22} {arrow} {}",
        text(one, "id"),
        text(one, "connector"),
        text(one, "channel"),
        text(one, "state"),
        short_time(text(one, "updated_at")),
        text(one, "address"),
        shortened(text(last, "text"))
    )
}

/// To the second.
pub(super) fn short_time(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

/// What somebody wrote, as it may be shown on a terminal: without control characters, line breaks as a sign.
pub(super) fn printable(text: &str) -> String {
    let shown = |letter: char| match letter {
        '\n' => '⏎',
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    };
    text.chars().filter(|letter| *letter != '\r').map(shown).collect()
}

pub(super) fn shortened(text: &str) -> String {
    let line = printable(text);
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

async fn show(api: &GatewayApi, args: &OneArgs, messages: usize) -> Result<(), String> {
    let conversation = named(api, &args.id).await?;
    let limit = messages.clamp(1, PAGE).to_string();
    let mut page = api.get(&["conversations", text(&conversation, "id"), "messages"], &[("limit", &limit)]).await?;
    let messages = page.get_mut("messages").map(Value::take).unwrap_or_default();
    if args.json {
        print(&json!({ "conversation": conversation, "messages": messages }).to_string());
        return Ok(());
    }
    for key in ["id", "external_id", "connector", "channel", "address", "state", "updated_at"] {
        print(&format!("{key:<12} {}", text(&conversation, key)));
    }
    for message in messages.as_array().into_iter().flatten() {
        print(&spoken(message));
    }
    Ok(())
}

/// A message as a line.
fn spoken(message: &Value) -> String {
    let who = if text(message, "direction") == "in" { "<" } else { ">" };
    let files = message.get("media").and_then(Value::as_array).map_or(0, Vec::len);
    let files = match files {
        0 => String::new(),
        1 => " [1 file]".to_owned(),
        files => format!(" [{files} files]"),
    };
    let error = match (text(message, "error_code"), text(message, "error_meaning")) {
        ("", _) => String::new(),
        (code, "") => format!(" {code}"),
        (code, meaning) => format!(" {code}: {meaning}"),
    };
    let (at, said) = (short_time(text(message, "at")), printable(text(message, "text")));
    format!("{at} {who} {said}{files}  ({}{error})", text(message, "status"))
}

/// Has something done in a conversation.
async fn order(api: &GatewayApi, args: &OneArgs, what: &str, body: &Value, done: &str) -> Result<(), String> {
    let conversation = named(api, &args.id).await?;
    let changed = api.post(&["conversations", text(&conversation, "id"), what], body).await?;
    print(&if args.json { changed.to_string() } else { text(&conversation, "id").to_owned() });
    say(done);
    Ok(())
}

async fn export(api: &GatewayApi, as_json: bool, all: bool, ids: &[String]) -> Result<(), String> {
    if all {
        let mut pages = Pages::new(api);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for conversation in &page {
                messages_of(api, conversation, as_json).await?;
            }
        }
    }
    for id in ids {
        messages_of(api, &named(api, id).await?, as_json).await?;
    }
    Ok(())
}

/// All messages of a conversation, the oldest first.
pub(super) async fn all_messages(api: &GatewayApi, id: &str) -> Result<Vec<Value>, String> {
    let (mut newest_first, mut before) = (Vec::new(), None::<String>);
    let limit = PAGE.to_string();
    loop {
        let mut query = vec![("limit", limit.as_str())];
        query.extend(before.as_deref().map(|before| ("before", before)));
        let mut page = api.get(&["conversations", id, "messages"], &query).await?;
        before = page.get("next").and_then(Value::as_str).map(str::to_owned);
        let messages = page.get_mut("messages").and_then(Value::as_array_mut).map(std::mem::take);
        newest_first.extend(messages.unwrap_or_default().into_iter().rev());
        if newest_first.len() > MAX_EXPORTED {
            return Err(format!("{id} has more than {MAX_EXPORTED} messages"));
        }
        if before.is_none() {
            newest_first.reverse();
            return Ok(newest_first);
        }
    }
}

async fn messages_of(api: &GatewayApi, conversation: &Value, as_json: bool) -> Result<(), String> {
    let id = text(conversation, "id");
    let messages = all_messages(api, id).await?;
    if !as_json {
        print(&format!("# {id} {} {}", text(conversation, "channel"), text(conversation, "address")));
    }
    for mut message in messages {
        if !as_json {
            print(&spoken(&message));
            continue;
        }
        if let Some(fields) = message.as_object_mut() {
            for key in ["external_id", "connector", "channel", "address"] {
                fields.insert(format!("conversation_{key}"), json!(text(conversation, key)));
            }
            fields.insert("conversation".to_owned(), json!(id));
        }
        print(&message.to_string());
    }
    Ok(())
}
