//! Takes part in conversations from a terminal or from another program.
//!
//! ```sh
//! export TWILIO_API_KEY_SECRET=…
//! cargo run -p trunkline-twilio --example realtime -- URL ACCOUNT_SID API_KEY_SID CHAT_SERVICE_SID IDENTITY
//! ```
//!
//! `URL` is that of the socket, such as `twilsock_url` of the emulator's `/emulator/v1/account`. Each event is one line
//! of JSON on standard output. Commands are lines of JSON on standard input, and are carried out one after the other:
//!
//! ```json
//! {"command":"send","conversation":"CH…","body":"hello"}
//! {"command":"typing","conversation":"CH…"}
//! {"command":"read","conversation":"CH…","index":3}
//! {"command":"quit"}
//! ```
//!
//! A command that is done, or not, is told as `done` or `failed`; `failed` with `"unknown":true` may have worked.
//! What else is in the command under `id` is told with it. The end of standard input is a `quit`.

use std::io::{BufRead as _, Read as _, Write as _};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use trunkline_core::Secret;
use trunkline_twilio::realtime::{
    ApiKeyTokens, Event, MessageChange, NewMessage, ParticipantChange, RealtimeClient, RealtimeError, RealtimeSettings,
};

/// The variable with the secret of the API key. A secret is no argument: arguments are seen by everybody.
const SECRET: &str = "TWILIO_API_KEY_SECRET";

/// The longest command, in bytes: more than the longest message with every character escaped.
const MAX_LINE: u64 = 256 * 1024;

/// Commands that were read and wait. Reading goes on when there is room.
const COMMANDS: usize = 64;

#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    id: Value,
    #[serde(flatten)]
    command: Command,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
enum Command {
    Send { conversation: String, body: String },
    Typing { conversation: String },
    Read { conversation: String, index: Option<u64> },
    Quit,
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "an example is a program of its own, with one setting")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, account, key, service, identity] = arguments.as_slice() else {
        return Err("give URL, ACCOUNT_SID, API_KEY_SID, CHAT_SERVICE_SID and IDENTITY".into());
    };
    let secret = Secret::new(std::env::var(SECRET).map_err(|_| format!("{SECRET} is not set"))?);
    let tokens = ApiKeyTokens::new(account.parse()?, key.parse()?, secret, service.parse()?, identity);
    let settings = RealtimeSettings { url: Some(url.clone()), ..RealtimeSettings::default() };
    let (client, mut events) = RealtimeClient::start(tokens, settings);

    let (requests, received) = mpsc::channel(COMMANDS);
    // A thread, and not a task: a read of standard input cannot be cancelled, and is not to hold up the end.
    std::thread::Builder::new().name("commands".to_owned()).spawn(move || read_commands(&requests))?;
    // It is driven here and not spawned, so that it ends with `main`.
    let commands = carry_out(&client, received);
    tokio::pin!(commands);
    loop {
        tokio::select! {
            () = &mut commands => break,
            event = events.recv() => match event {
                Some(event) => tell(&described(event))?,
                None => break,
            },
        }
    }
    client.stop().await;
    Ok(())
}

/// Reads until there is nothing more, or nobody wants it.
fn read_commands(requests: &mpsc::Sender<Result<Request, String>>) {
    let mut input = std::io::stdin().lock();
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return;
        }
        let request = serde_json::from_slice(&line).map_err(|error| error.to_string());
        if requests.blocking_send(request).is_err() {
            return;
        }
    }
}

/// Carries out commands until one says to quit, or none can come any more.
async fn carry_out(client: &RealtimeClient, mut requests: mpsc::Receiver<Result<Request, String>>) {
    while let Some(request) = requests.recv().await {
        let outcome = match request {
            Ok(Request { command: Command::Quit, .. }) => return,
            Ok(Request { id, command }) => match done(client, command).await {
                Ok(index) => json!({ "event": "done", "id": id, "index": index }),
                Err(error) => {
                    json!({ "event": "failed", "id": id, "code": error.code(), "unknown": error.is_unknown() })
                }
            },
            Err(reason) => json!({ "event": "failed", "code": "not a command", "reason": reason }),
        };
        if tell(&outcome).is_err() {
            return;
        }
    }
}

/// Carries out one command. The index is that of a message that was sent.
async fn done(client: &RealtimeClient, command: Command) -> Result<Option<u64>, RealtimeError> {
    match command {
        Command::Send { conversation, body } => {
            let message = NewMessage { body: Some(body), ..NewMessage::default() };
            client.send(&conversation, message).await.map(|sent| Some(sent.index))
        }
        Command::Typing { conversation } => client.typing(&conversation).await.map(|()| None),
        Command::Read { conversation, index } => client.set_read_horizon(&conversation, index).await.map(|()| None),
        Command::Quit => Ok(None),
    }
}

fn described(event: Event) -> Value {
    match event {
        Event::ConnectionStateChanged(state, loss) => {
            let state = format!("{state:?}").to_lowercase();
            json!({ "event": "connectionStateChanged", "state": state, "loss": loss.map(|loss| loss.code) })
        }
        Event::Initialized => json!({ "event": "initialized" }),
        Event::ConversationJoined(data) => json!({ "event": "conversationJoined", "conversation": data.sid }),
        Event::ConversationLeft { conversation } => {
            json!({ "event": "conversationLeft", "conversation": conversation })
        }
        Event::ReadHorizonChanged { conversation, last_read } => {
            json!({ "event": "readHorizonChanged", "conversation": conversation, "index": last_read })
        }
        Event::ParticipantJoined(change) => participant("participantJoined", &change),
        Event::ParticipantUpdated(change) => participant("participantUpdated", &change),
        Event::ParticipantLeft(change) => participant("participantLeft", &change),
        Event::MessageAdded(change) => message("messageAdded", change),
        Event::MessageUpdated(change) => message("messageUpdated", change),
        Event::MessageRemoved { conversation, index, .. } => {
            json!({ "event": "messageRemoved", "conversation": conversation, "index": index })
        }
        Event::TypingStarted { conversation, identity } => {
            json!({ "event": "typingStarted", "conversation": conversation, "identity": identity })
        }
        Event::TypingEnded { conversation, identity } => {
            json!({ "event": "typingEnded", "conversation": conversation, "identity": identity })
        }
        _ => json!({ "event": "other" }),
    }
}

fn participant(event: &str, change: &ParticipantChange) -> Value {
    json!({
        "event": event, "conversation": change.conversation, "participant": change.participant,
        "identity": change.data.identity, "lastRead": change.data.last_consumed_message_index,
    })
}

fn message(event: &str, change: MessageChange) -> Value {
    let data = change.data;
    json!({
        "event": event, "conversation": change.conversation, "index": data.index, "sid": data.sid,
        "author": data.author, "body": data.text,
    })
}

/// One line on standard output.
fn tell(what: &Value) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{what}")
}
