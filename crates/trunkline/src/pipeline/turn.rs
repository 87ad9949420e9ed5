//! One turn: what waits goes to the agent, what it says is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;
use trunkline_agent::{Agent, AgentError, Attachment, Reply as AgentReply, Role, Turn, Utterance, collect};
use trunkline_bus::BusError;
use trunkline_core::event::{DeadLetter, MESSAGE_RECEIVED, MessageMetadata, MessageReceived, SendMessage};
use trunkline_core::{Channel, Envelope, Pii, Retry, derived_name};
use trunkline_store::{Care, ConversationRow, Direction, MediaRow, MessageRow, Reply, ReplyKind, Say, StoreError};

use super::Context;
use super::lane::{Heard, LaneError};
use super::lanes::Inbox;
use super::relay::EgressCommand;
use super::split::{Limits, split};
use super::wait::backoff;
use crate::agents::tool_calls;
use crate::connectors::MAX_TEXT_CHARS;
use crate::media::{codes, gather};
use crate::recall::Way;
use crate::telemetry::{set_parent, traceparent};

/// What a turn came to.
pub(super) enum Turned {
    /// The messages are answered; this is to be said, if anything.
    Committed(Vec<EgressCommand>),
    /// The person wrote more before the answer was there.
    Interrupted(Box<Heard>),
    /// The person changed what they wrote before the answer was there.
    Edited,
    /// A message was answered by someone else meanwhile, or a person of ours takes over: look again.
    AnsweredElsewhere,
}

/// What an agent sees of the conversation so far.
const MAX_HISTORY: u32 = 60;
/// What we have said to the same address by another way, for so long and so many of them, stands before that.
const ELSEWHERE: SignedDuration = SignedDuration::from_hours(7 * 24);
const MAX_ELSEWHERE: u32 = 5;
/// An agent that says more than this, in bytes, has lost itself.
const MAX_SPOKEN_BYTES: usize = 64 << 10;
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// Runs a turn over `waiting`, which is not empty. A text that arrives in `interrupt` ends it.
pub(super) async fn run(
    context: &Context,
    agent: &dyn Agent,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
    interrupt: Option<&mut Inbox<Heard>>,
    may_redo: bool,
) -> Result<Turned, LaneError> {
    let span = tracing::info_span!(
        "text.turn",
        conversation.id = conversation.id,
        turn.texts = waiting.len(),
        error.code = tracing::field::Empty
    );
    set_parent(&span, waiting.last().and_then(|message| message.traceparent.as_deref()));
    turn(context, agent, conversation, waiting, interrupt, may_redo).instrument(span).await
}

async fn turn(
    context: &Context,
    agent: &dyn Agent,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
    interrupt: Option<&mut Inbox<Heard>>,
    may_redo: bool,
) -> Result<Turned, LaneError> {
    let begun = Instant::now();
    // Until the reply is committed, or the turn is dropped.
    let _typing = context.typing.begin(&conversation.connector, &conversation.external_id);
    let under_way = context.under_way.begin(&conversation.id);
    // From here on, whoever takes over ends the turn.
    if is_handed_over(context, conversation).await? {
        return Ok(Turned::AnsweredElsewhere);
    }
    let work = considered(context, agent, conversation, waiting);
    let considered = tokio::select! {
        considered = work => considered?,
        heard = interrupted(interrupt) => {
            context.metrics.turn("superseded", begun.elapsed());
            return Ok(Turned::Interrupted(Box::new(heard)));
        }
        () = under_way.ended() => {
            context.metrics.turn("superseded", begun.elapsed());
            return Ok(Turned::AnsweredElsewhere);
        }
    };
    let Considered { outcome, notice } = considered;
    let (reply, kind, label) = match outcome {
        Ok(reply) => (reply, ReplyKind::Answer, "answered"),
        Err(error) => {
            if may_redo && is_edited(context, conversation, waiting).await? {
                return Ok(Turned::Edited);
            }
            if is_handed_over(context, conversation).await? {
                return Ok(Turned::AnsweredElsewhere);
            }
            give_up(context, conversation, waiting, &error).await?;
            // An operator's second treatment is not the person's to hear of.
            let is_first = waiting.iter().any(|message| message.replays == 0);
            let text = Pii::new(if is_first { context.settings.apology.clone() } else { String::new() });
            (AgentReply { text, ..AgentReply::default() }, ReplyKind::Apology, "given_up")
        }
    };
    if may_redo && is_edited(context, conversation, waiting).await? {
        return Ok(Turned::Edited);
    }
    let turned = commit(context, agent.name(), conversation, waiting, (reply, notice), kind).await?;
    context.metrics.turn(label, begun.elapsed());
    Ok(turned)
}

/// Waits for another text that the answer is to cover too; for ever if none may come.
async fn interrupted(interrupt: Option<&mut Inbox<Heard>>) -> Heard {
    let heard = async { interrupt?.more().await };
    match heard.await {
        Some(heard) => heard,
        None => std::future::pending().await,
    }
}

/// Whether a person of ours has taken over meanwhile: then the texts wait for them.
async fn is_handed_over(context: &Context, conversation: &ConversationRow) -> Result<bool, StoreError> {
    let now = context.store.conversation(&conversation.id).await?;
    Ok(now.is_some_and(|now| now.handed_over_at.is_some()))
}

/// What a turn is to say.
struct Considered {
    outcome: Result<AgentReply, AgentError>,
    /// What the person hears first, because a file of theirs is not taken.
    notice: Option<String>,
}

/// Fetches the files of the texts, and asks the agent about what there is. Nobody is asked about nothing.
async fn considered(
    context: &Context,
    agent: &dyn Agent,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
) -> Result<Considered, StoreError> {
    let connector = context.connectors.named(&conversation.connector);
    let files = gather(&context.media, &context.store, connector, waiting).await?;
    let refused = &context.media.settings.refused;
    let notice = (files.refused && !refused.is_empty()).then(|| refused.clone());
    let has_words = waiting.iter().any(|message| !message.body.expose().trim().is_empty());
    if files.refused && !has_words && files.attachments.is_empty() {
        return Ok(Considered { outcome: Ok(AgentReply::default()), notice });
    }
    let outcome = tried(context, agent, conversation, waiting, files.attachments).await?;
    Ok(Considered { outcome, notice })
}

/// Asks the agent, as often as the settings allow.
async fn tried(
    context: &Context,
    agent: &dyn Agent,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
    attachments: Vec<Attachment>,
) -> Result<Result<AgentReply, AgentError>, StoreError> {
    let mut question = question(context, conversation, waiting).await?;
    question.attachments = attachments;
    let settings = &context.settings;
    let mut tries = 0;
    loop {
        let begun = Instant::now();
        question.attempt = tries + 1;
        let asked = async { collect(agent.respond(question.clone()).await?, MAX_SPOKEN_BYTES).await };
        let error = match tokio::time::timeout(settings.turn_timeout, asked).await {
            Ok(Ok(reply)) => return Ok(Ok(reply)),
            Ok(Err(error)) => error,
            Err(_) => AgentError::Timeout(settings.turn_timeout),
        };
        tries += 1;
        tracing::Span::current().record("error.code", error.code());
        tracing::warn!(error.code = error.code(), tries, "the agent has no answer");
        if tries >= settings.turn_attempts || error.retry() == Retry::No {
            return Ok(Err(error));
        }
        context.metrics.turn("retried", begun.elapsed());
        let asked_for = if let Retry::After(wait) = error.retry() { wait } else { Duration::ZERO };
        tokio::time::sleep(backoff(settings.turn_backoff, tries - 1, MAX_BACKOFF).max(asked_for)).await;
    }
}

async fn question(
    context: &Context,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
) -> Result<Turn, StoreError> {
    let asked: BTreeSet<_> = waiting.iter().map(|message| message.id.as_str()).collect();
    let last = waiting.last().and_then(|message| message.index);
    let thread = context.store.messages(&conversation.id, MAX_HISTORY, None).await?;
    // What the agent sees anyway is not recalled.
    let but = (thread.len() < MAX_HISTORY as usize).then_some(conversation.id.as_str());
    let input: Vec<_> = waiting.iter().map(|message| message.body.clone()).collect();
    let recalled = context.recall.passages(Way::Text, &conversation.contact_id, but, &input).await;
    let mut history = Vec::new();
    if thread.len() < MAX_HISTORY as usize {
        let begun = thread.first().map(|message| message.created_at);
        let since = Timestamp::now() - ELSEWHERE;
        let said = context.store.said_by_another_way(conversation, since, MAX_ELSEWHERE).await?;
        let before = said.into_iter().filter(|(at, _)| begun.is_none_or(|begun| *at <= begun));
        history.extend(before.map(|(_, text)| Utterance { role: Role::Agent, text }));
    }
    let of_thread = thread
        .into_iter()
        // What waits behind these is for a later turn.
        .filter(|message| !asked.contains(message.id.as_str()) && (message.index.is_none() || message.index < last))
        .filter(|message| message.status != "failed" && message.removed_at.is_none())
        .map(|message| Utterance {
            role: if message.direction == Direction::In { Role::Person } else { Role::Agent },
            text: message.body,
        });
    history.extend(of_thread);
    Ok(Turn {
        id: turn_id(conversation, waiting),
        attempt: 1,
        deadline: context.settings.turn_timeout,
        traceparent: traceparent(),
        conversation: conversation.id.clone(),
        contact: conversation.contact_id.clone(),
        channel: conversation.channel.parse().unwrap_or(Channel::Sms),
        input,
        attachments: Vec::new(),
        history,
        recalled,
        summary: context.summaries.given(Way::Text, &conversation.contact_id, &conversation.id).await,
        memories: context.store.memories_of_contact(&conversation.contact_id, Some(&conversation.id)).await?,
    })
}

/// Whether a text that is being answered has other words by now.
async fn is_edited(
    context: &Context,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
) -> Result<bool, StoreError> {
    let most = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
    let now = context.store.waiting(&conversation.id, most).await?;
    let other_words = |then: &MessageRow| now.iter().any(|now| now.id == then.id && now.edited_at != then.edited_at);
    Ok(waiting.iter().any(other_words))
}

/// The same for the same texts, also after a restart; another one for texts that an operator has had treated again.
fn turn_id(conversation: &ConversationRow, waiting: &[MessageRow]) -> String {
    let mut texts = conversation.id.clone();
    for message in waiting {
        let _infallible = write!(texts, "/{};{}", message.id, message.replays);
        if let Some(edited) = message.edited_at {
            texts.push_str(&edited.to_string());
        }
    }
    format!("turn-{}", derived_name(texts))
}

async fn commit(
    context: &Context,
    author: &str,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
    (reply, notice): (AgentReply, Option<String>),
    kind: ReplyKind,
) -> Result<Turned, LaneError> {
    for usage in &reply.usage {
        context.metrics.model_used(usage);
    }
    let care = match reply.next_agent {
        _ if reply.hand_over => Care::HandOver,
        Some(agent) => Care::Agent(Some(agent)),
        None => Care::Same,
    };
    let parts = split(reply.text.expose(), limits(context, conversation));
    let files = match context.connectors.named(&conversation.connector).map(|one| one.takes_files()) {
        Some(Ok(())) => kept(context, &reply.files).await?,
        Some(Err(error)) if !reply.files.is_empty() => {
            tracing::warn!(error.code = error.code, "the files of an answer are left out");
            Vec::new()
        }
        _ => Vec::new(),
    };
    let turn = turn_id(conversation, waiting);
    let made = reply.tools.iter().filter(|report| report.is_kept).map(|report| report.key.clone());
    let reply = Reply {
        accounts_for: made.chain(reply.accounted).collect(),
        conversation_id: conversation.id.clone(),
        answers: waiting.iter().map(|message| message.id.clone()).collect(),
        says: says(notice, parts, files),
        author: author.to_owned(),
        kind,
        memories: reply.memories,
        care,
        tool_calls: tool_calls(&context.metrics, &turn, reply.tools),
        turn: Some(turn),
        traceparent: traceparent(),
    };
    let outbox_ids = match context.store.commit_reply(&reply).await {
        Ok(outbox_ids) => outbox_ids,
        Err(StoreError::AlreadyAnswered | StoreError::HandedOver) => return Ok(Turned::AnsweredElsewhere),
        Err(error) => return Err(error.into()),
    };
    let commands = outbox_ids.into_iter().zip(reply.says).map(|(outbox_id, say)| EgressCommand {
        traceparent: reply.traceparent.clone(),
        send: SendMessage {
            connector: conversation.connector.clone(),
            conversation: conversation.external_id.clone(),
            text: say.body.into_inner(),
            media_sha256: say.media.map(|media| media.hash),
            channel: conversation.channel.parse().ok(),
            outbox_id,
            ..SendMessage::default()
        },
    });
    Ok(Turned::Committed(commands.collect()))
}

/// Texts in order, then files: the first one goes with the last text.
fn says(notice: Option<String>, parts: Vec<String>, files: Vec<MediaRow>) -> Vec<Say> {
    let has_answer = !parts.is_empty();
    let mut says: Vec<_> = notice.into_iter().chain(parts).map(|part| Say::text(Pii::new(part))).collect();
    for media in files {
        match says.last_mut().filter(|last| has_answer && last.media.is_none() && !last.body.expose().is_empty()) {
            Some(last) => last.media = Some(media),
            None => says.push(Say { media: Some(media), ..Say::default() }),
        }
    }
    says
}

/// The files that an answer names. One that is not kept here is left out.
async fn kept(context: &Context, hashes: &[String]) -> Result<Vec<MediaRow>, StoreError> {
    let mut files = Vec::with_capacity(hashes.len());
    for hash in hashes {
        if let Some(media) = context.store.media(hash).await? {
            files.push(media);
        } else {
            tracing::warn!(error.code = codes::NOT_FOUND, "an answer names a file that is not kept here");
        }
    }
    Ok(files)
}

/// How long a message of a conversation may be, and how many an answer may have.
/// How what is said in a conversation is split.
pub(crate) fn limits(context: &Context, conversation: &ConversationRow) -> Limits {
    let settings = &context.settings.splitting;
    let most = context.connectors.named(&conversation.connector).map_or(MAX_TEXT_CHARS, |one| one.max_text_chars());
    let wanted = match conversation.channel.parse() {
        Ok(Channel::Sms) => settings.sms_chars,
        Ok(Channel::Whatsapp) => settings.whatsapp_chars,
        _ => most,
    };
    Limits { most: most.min(wanted), parts: settings.max_parts }
}

/// Keeps each text for an operator. Before the apology is committed, so that a crash in between loses neither.
async fn give_up(
    context: &Context,
    conversation: &ConversationRow,
    waiting: &[MessageRow],
    error: &AgentError,
) -> Result<(), BusError> {
    if context.store.conversation(&conversation.id).await.is_ok_and(|known| known.is_none()) {
        // The person was erased meanwhile: nothing of theirs is kept for anybody.
        return Ok(());
    }
    tracing::error!(error.code = error.code(), "the turn is given up; its texts are now dead letters");
    for message in waiting {
        let Some(envelope) = envelope(conversation, message) else { continue };
        let letter = DeadLetter {
            code: error.code().to_owned(),
            reason: error.to_string(),
            attempts: context.settings.turn_attempts,
            origin: context.subjects.ingress.as_str().to_owned(),
            envelope,
            context: BTreeMap::new(),
        };
        context.bus.bury(&letter).await?;
        context.metrics.dead_letter(error.code());
    }
    Ok(())
}

/// The envelope by which a recorded message came.
fn envelope(conversation: &ConversationRow, message: &MessageRow) -> Option<Envelope> {
    let external_id = message.external_id.clone()?;
    let received = MessageReceived {
        from: message.author.expose().clone(),
        text: message.body.expose().clone(),
        media: message.media.clone(),
        channel: conversation.channel.parse().ok()?,
        metadata: MessageMetadata {
            conversation: conversation.external_id.clone(),
            message: external_id.clone(),
            participant: None,
            index: message.index?.unsigned_abs(),
            created: message.created_at,
            to: conversation.own_address.clone(),
        },
    };
    let id = letter_id(&conversation.connector, &external_id);
    let envelope = Envelope::new(
        id,
        &conversation.connector,
        MESSAGE_RECEIVED,
        &conversation.external_id,
        message.created_at,
        &received,
    );
    let traceparent = message.traceparent.clone();
    envelope.ok().map(|envelope| envelope.with_traceparent(traceparent).as_replay(message.replays))
}

/// The id of a given-up message's letter: the same however often the turn is given up before it is replayed.
fn letter_id(connector: &str, external_id: &str) -> String {
    format!("{connector}:{external_id}")
}
