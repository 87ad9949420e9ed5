//! `trunkline contacts`: the people whom a running gateway knows.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::conversations::{printable, short_time, shortened, text};
use super::gateway_api::{GatewayApi, GatewayArgs};
use super::run::runtime;
use super::{failed, print, say};

#[derive(Subcommand)]
pub(super) enum ContactsCommand {
    /// Lists people, the latest first
    List(ListArgs),
    /// Shows a person: addresses, memories, consent, conversations, calls
    Show(OneArgs),
    /// Makes two contacts one person, or gives a person an address
    Link {
        #[command(flatten)]
        one: OneArgs,
        /// The other contact: its id, or an address
        other: String,
        /// The address's channel: sms, whatsapp, chat, email or voice
        #[arg(long)]
        channel: Option<String>,
    },
    /// Gives an address a contact of its own
    Unlink {
        #[command(flatten)]
        one: OneArgs,
        /// The address
        address: String,
        /// Only on this channel: sms, whatsapp, chat, email or voice
        #[arg(long)]
        channel: Option<String>,
    },
    /// Prints everything that is held of a person, as one JSON document
    Export(OneArgs),
    /// Forgets a person: everything that is held of them, for good
    Erase {
        #[command(flatten)]
        one: OneArgs,
        /// Do not ask
        #[arg(long)]
        yes: bool,
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
    /// Only those with an address or a remembered name that contains this
    query: Option<String>,
}

#[derive(Args)]
pub(super) struct OneArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Their id, or one of their addresses
    person: String,
}

pub(super) fn run(command: &ContactsCommand) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let gateway = match command {
        ContactsCommand::List(args) => &args.gateway,
        ContactsCommand::Show(one)
        | ContactsCommand::Export(one)
        | ContactsCommand::Link { one, .. }
        | ContactsCommand::Unlink { one, .. }
        | ContactsCommand::Erase { one, .. } => &one.gateway,
    };
    let api = match GatewayApi::open(gateway) {
        Ok(api) => api,
        Err(code) => return code,
    };
    let outcome = runtime.block_on(async {
        match command {
            ContactsCommand::List(args) => list(&api, args).await,
            ContactsCommand::Show(one) => show(&api, one).await,
            ContactsCommand::Link { one, other, channel } => link(&api, one, other, channel.as_deref()).await,
            ContactsCommand::Unlink { one, address, channel } => {
                let body = json!({ "address": address, "channel": channel });
                changed(&api, one, "unlink", &body).await
            }
            ContactsCommand::Export(one) => export(&api, one).await,
            ContactsCommand::Erase { one, yes } => erase(&api, one, *yes).await,
        }
    });
    outcome.map_or_else(|reason| failed(&reason), |()| ExitCode::SUCCESS)
}

async fn list(api: &GatewayApi, args: &ListArgs) -> Result<(), String> {
    let (mut cursor, mut shown) = (None::<String>, 0);
    while shown < args.limit {
        let limit = (args.limit - shown).min(500).to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(args.query.as_deref().map(|words| ("query", words)));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = api.get(&["contacts"], &query).await?;
        let people = page.get("contacts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for one in people {
            print(&if args.json { one.to_string() } else { line(one) });
            shown += 1;
        }
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let more = if cursor.is_some() { ", there are more: --limit" } else { "" };
    say(&format!("{shown} shown{more}"));
    Ok(())
}

/// A person in a list.
fn line(one: &Value) -> String {
    let out = if one.get("opted_out") == Some(&Value::Bool(true)) { "opted out" } else { "" };
    let (id, name, seen) = (text(one, "id"), shortened(text(one, "name")), short_time(text(one, "seen_at")));
    format!("{id}  {name:<20} {seen:<21} {out:<9} {}", addresses(one).join(" "))
}

fn addresses(one: &Value) -> Vec<String> {
    let all = one.get("addresses").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|one| format!("{}:{}", text(one, "channel"), printable(text(one, "address")))).collect()
}

/// The id of a person who is named by it, or by an address.
async fn id_of(api: &GatewayApi, person: &str) -> Result<String, String> {
    let is_id = person.len() == 36 && person.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_id {
        return Ok(person.to_owned());
    }
    let wanted = person.trim_start_matches("whatsapp:");
    let page = api.get(&["contacts"], &[("query", wanted), ("limit", "2")]).await?;
    let people = page.get("contacts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match people {
        [one] => Ok(text(one, "id").to_owned()),
        [] => Err("the gateway knows nobody with this address or name".to_owned()),
        _ => Err("that fits several people; name one by the id that `trunkline contacts list` shows".to_owned()),
    }
}

async fn show(api: &GatewayApi, args: &OneArgs) -> Result<(), String> {
    let person = api.get(&["contacts", &id_of(api, &args.person).await?], &[]).await?;
    if args.json {
        print(&person.to_string());
        return Ok(());
    }
    for key in ["id", "name", "created_at", "seen_at"] {
        print(&format!("{key:<12} {}", printable(text(&person, key))));
    }
    for address in addresses(&person) {
        print(&format!("{:<12} {address}", "address"));
    }
    let list = |key| person.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for one in list("consent") {
        let said = if one.get("opted_out") == Some(&Value::Bool(true)) { "wants nothing" } else { "wants to hear" };
        print(&format!("{:<12} {said} from {} ({})", "consent", text(one, "sender"), text(one, "told_by")));
    }
    for (name, value) in person.get("memories").and_then(Value::as_object).into_iter().flatten() {
        let value = printable(value.as_str().unwrap_or_default());
        print(&format!("{:<12} {} = {value}", "memory", printable(name)));
    }
    for one in list("conversations") {
        let (channel, at) = (text(one, "channel"), short_time(text(one, "updated_at")));
        print(&format!("{:<12} {} {channel} {at}", "conversation", text(one, "id")));
    }
    for one in list("calls") {
        let (direction, at) = (text(one, "direction"), short_time(text(one, "started")));
        print(&format!("{:<12} {} {direction} {at}", "call", text(one, "call")));
    }
    Ok(())
}

async fn link(api: &GatewayApi, args: &OneArgs, other: &str, channel: Option<&str>) -> Result<(), String> {
    let is_id = other.len() == 36 && other.contains('-');
    let body = if is_id { json!({ "contact": other }) } else { json!({ "address": other, "channel": channel }) };
    changed(api, args, "link", &body).await
}

async fn changed(api: &GatewayApi, args: &OneArgs, what: &str, body: &Value) -> Result<(), String> {
    let done = api.post(&["contacts", &id_of(api, &args.person).await?, what], body).await?;
    let contact = done.get("contact").unwrap_or(&Value::Null);
    print(&if args.json { done.to_string() } else { text(contact, "id").to_owned() });
    say(if done.get("changed") == Some(&Value::Bool(true)) { "done" } else { "it was so already" });
    Ok(())
}

async fn export(api: &GatewayApi, args: &OneArgs) -> Result<(), String> {
    let document = api.get(&["contacts", &id_of(api, &args.person).await?, "export"], &[]).await?;
    let shown = if args.json { document.to_string() } else { format!("{document:#}") };
    print(&shown);
    Ok(())
}

async fn erase(api: &GatewayApi, args: &OneArgs, is_sure: bool) -> Result<(), String> {
    let id = id_of(api, &args.person).await?;
    if !is_sure {
        if !std::io::stdin().is_terminal() {
            return Err("erasing cannot be undone; say --yes".to_owned());
        }
        say(&format!("Everything of {id} is erased for good. Type its id, or `yes`, to go on:"));
        let mut typed = String::new();
        std::io::stdin().lock().read_line(&mut typed).map_err(|error| error.to_string())?;
        if typed.trim() != "yes" && typed.trim() != id {
            return Err("nothing was erased".to_owned());
        }
    }
    let done = api.delete(&["contacts", &id], &[]).await?;
    if args.json {
        print(&done.to_string());
        return Ok(());
    }
    for key in ["conversations", "calls", "utterances", "files", "recordings", "envelopes", "dead_letters"] {
        print(&format!("{key:<14} {}", done.get(key).and_then(Value::as_u64).unwrap_or_default()));
    }
    if done.get("wiped") == Some(&Value::Bool(false)) {
        say("a database is too large to be written anew: run VACUUM on it with the gateway stopped");
    }
    say("erased");
    Ok(())
}
