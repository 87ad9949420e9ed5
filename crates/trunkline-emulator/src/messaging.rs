//! Programmable Messaging's work with the network: files of messages, and documents that answer a person's message.
//!
//! What a document may say: `<Message>` with `<Body>` and `<Media>`, and `<Redirect>`. A text that is no document is a
//! message by itself. What cannot be had is asked for at the fall-back URL once, with the code of what went wrong.

use std::time::Duration;

use futures_util::future::join_all;
use tracing::Instrument as _;
use trunkline_proto::sid::ChannelMessageSid;
use trunkline_proto::twiml::{Message, Response, Verb};

use crate::error;
use crate::faults::MESSAGE_DOCUMENT;
use crate::journal::{Happening, Noted};
use crate::server::App;
use crate::state::MediaFields;
use crate::state::events::{Params, Target};
use crate::state::limits::MAX_MEDIA_PER_MESSAGE;
use crate::state::messaging::{ChannelMessageFields, Reply};
use crate::state::records::Method;
use crate::telephone::resolve;
use crate::webhooks::{SendError, Sender};

/// Fetches the files of a message, all at once. One that cannot be had is nothing.
pub(crate) async fn fetch_files(sender: &Sender, urls: &[String]) -> Vec<Option<MediaFields>> {
    let fetch = async |url: &String| {
        let target = Target { url: url.clone(), method: Method::Get };
        let fetched = sender.fetch(&target, &Params::new(), FILE_PATIENCE, MAX_FILE_BYTES).await.ok()?;
        let is_good = fetched.status.is_success() && !fetched.content_type.is_empty();
        is_good.then(|| MediaFields {
            content_type: fetched.content_type,
            filename: None,
            author: None,
            content: fetched.body.into(),
        })
    };
    join_all(urls.iter().take(MAX_MEDIA_PER_MESSAGE).map(fetch)).await
}

/// Has the number's webhook answer a message that came in, if it has one. Returns at once.
pub(crate) fn answer(app: &App, sid: ChannelMessageSid) {
    let app = app.clone();
    let stop = app.stop.clone();
    let tasks = app.connections.clone();
    let span = tracing::debug_span!("emulator.reply", message = %sid);
    let work = async move {
        let base = app.base_url.to_string();
        let found = app.owner.call(move |state| state.reply_to(sid, &base)).await;
        if let Ok(Ok(Some(reply))) = found {
            run(&app, reply).await;
        }
    };
    tasks.spawn(async move { stop.run_until_cancelled_owned(work).await.unwrap_or_default() }.instrument(span));
}

/// What a webhook says, and where it said so.
struct Answered {
    said: Said,
    base: Target,
}

enum Said {
    /// Words that are no document.
    Text(String),
    Document(Vec<Verb>),
}

async fn run(app: &App, reply: Reply) {
    let Reply { message, target, fallback, params } = reply;
    let mut next = Some(target);
    for _ in 0..MAX_DOCUMENTS {
        let Some(target) = next.take() else { return };
        let Some(answered) = request(app, target, fallback.as_ref(), &params).await else { return };
        let verbs = match answered.said {
            Said::Document(verbs) => verbs,
            Said::Text(body) => vec![Verb::Message(Message { body, ..Message::default() })],
        };
        for verb in verbs {
            match verb {
                Verb::Message(one) => send(app, &message.from, &message.to, one).await,
                Verb::Redirect(redirect) => {
                    next = resolve(Some(&answered.base), Some(&redirect.url), redirect.method);
                    break;
                }
                // Verbs of calls mean nothing here.
                _ => {}
            }
        }
    }
    note(app, TOO_MANY_REDIRECTS);
}

async fn request(app: &App, target: Target, fallback: Option<&Target>, params: &Params) -> Option<Answered> {
    let code = match fetch(app, &target, params).await {
        Ok(answered) => return Some(answered),
        Err(code) => code,
    };
    note(app, code);
    let fallback = fallback.filter(|fallback| fallback.url != target.url)?;
    let mut params = params.clone();
    params.push(("ErrorCode", code.to_string()));
    params.push(("ErrorUrl", target.url));
    match fetch(app, fallback, &params).await {
        Ok(answered) => Some(answered),
        Err(code) => {
            note(app, code);
            None
        }
    }
}

async fn fetch(app: &App, target: &Target, params: &Params) -> Result<Answered, u32> {
    let fetched = app.sender.fetch_document(MESSAGE_DOCUMENT, target, params, PATIENCE, MAX_DOCUMENT_BYTES).await;
    let fetched = fetched.map_err(|problem| match problem {
        SendError::TooLong => TOO_LONG,
        SendError::Failed | SendError::TimedOut => error::FILE_NOT_FETCHED,
    })?;
    if !fetched.status.is_success() {
        return Err(error::FILE_NOT_FETCHED);
    }
    let kind = fetched.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let said = match kind.as_str() {
        // Nothing is said: no answer is an answer.
        "" | "text/plain" if fetched.body.is_empty() => Said::Document(Vec::new()),
        "text/plain" => Said::Text(String::from_utf8_lossy(&fetched.body).into_owned()),
        "" | "text/xml" | "application/xml" | "text/html" => {
            let parsed = Response::parse(&fetched.body).map_err(|problem| problem.twilio_code())?;
            Said::Document(parsed.response.verbs)
        }
        _ => return Err(WRONG_CONTENT_TYPE),
    };
    Ok(Answered { said, base: target.clone() })
}

/// Sends what a document says. `person` wrote, to `own`.
async fn send(app: &App, person: &str, own: &str, message: Message) {
    let told = message.status_callback.or(message.action).filter(|url| url.contains("://"));
    let fields = ChannelMessageFields {
        to: Some(message.to.unwrap_or_else(|| person.to_owned())),
        from: Some(message.from.unwrap_or_else(|| own.to_owned())),
        body: Some(message.body),
        media: fetch_files(&app.sender, &message.media).await,
        status_callback: told,
        is_reply: true,
        ..ChannelMessageFields::default()
    };
    if let Ok(Err(problem)) = app.owner.call(move |state| state.create_channel_message(fields)).await {
        note(app, problem.code);
    }
}

fn note(app: &App, code: u32) {
    let what = Happening::MessageNotified { code };
    app.journal.add(Noted { at: app.clock.now(), conversation: None, call: None, what });
}

const PATIENCE: Duration = Duration::from_secs(15);
const FILE_PATIENCE: Duration = Duration::from_secs(10);
/// Longest file that is fetched, in bytes: more than any channel takes.
const MAX_FILE_BYTES: usize = 20 * 1024 * 1024;
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// Documents that one message leads to.
const MAX_DOCUMENTS: usize = 20;
const TOO_MANY_REDIRECTS: u32 = 11215;
const WRONG_CONTENT_TYPE: u32 = 12300;
const TOO_LONG: u32 = 11750;
