//! What a call is told to do.

use std::time::Duration;

use trunkline_core::voice::{SessionState, WebhookAnswer};
use trunkline_proto::twiml::{
    Connect, ConversationRelay, Dial, DialTarget, Number, Parameter, Pause, Record, Redirect, Response, Say, Stream,
    Verb,
};

use super::live::Live;
use super::paths::{self, Places};
use super::sessions::{Door, Sessions};
use super::settings::{Overflow, Settings};

/// What a caller hears whom nobody can answer.
const APOLOGY: &str = "We are sorry, all our lines are busy. Please call again later.";
/// What a caller hears who waits for a line.
const WAITING: &str = "All our lines are busy. Please hold on.";
/// What a caller hears who may leave a message instead.
const MESSAGE: &str = "All our lines are busy. Please leave a message after the tone.";
/// The longest message, in seconds.
const MAX_MESSAGE: u32 = 120;
/// Seconds between two tries.
const QUEUE_PAUSE: u32 = 10;
/// Tries until it is given up.
const QUEUE_ROUNDS: u32 = 30;
/// Seconds of silence in one piece; Twilio ends a call after four hours.
const SILENCE: u32 = 3_600;
const SILENCES: usize = 4;
/// Twilio's limit of a parameter's name and value together, in characters.
const MAX_PARAMETER: usize = 500;

/// Hands the call to our socket, with a new token.
pub(super) fn connect(live: &Live, sessions: &Sessions, places: &Places) -> Response {
    let id = live.session.id();
    let metadata = live.session.metadata().iter();
    let mut parameters: Vec<_> = metadata.map(|(name, value)| Parameter::new(name, value)).collect();
    parameters.push(Parameter::new("session", id.as_str()));
    let mut connect = if live.as_text {
        let token = sessions.issue(id, Door::Text, live.patience);
        let mut relay = live.current.settings.relay.clone();
        if live.session.state() >= SessionState::Connected {
            // Who comes back, from hold or from a transfer, has been welcomed.
            relay.welcome_greeting = None;
        }
        Connect::to(ConversationRelay { url: Some(places.socket(paths::RELAY, &token)), parameters, ..relay })
    } else {
        let token = sessions.issue(id, Door::Audio, live.patience);
        Connect::to(Stream {
            url: Some(places.socket(paths::MEDIA, &token)),
            status_callback: Some(places.about(paths::STREAM, id.as_str())),
            parameters,
            ..Stream::default()
        })
    };
    connect.action = Some(places.about(paths::ACTION, id.as_str()));
    Response::new().with(Verb::Connect(connect))
}

/// Whether what is given along with a call fits into parameters.
pub(super) fn fits(metadata: &std::collections::BTreeMap<String, String>) -> bool {
    let is_short = |(name, value): (&String, &String)| name.chars().count() + value.chars().count() <= MAX_PARAMETER;
    metadata.iter().all(is_short) && !metadata.contains_key("session")
}

pub(super) fn hangup() -> Response {
    Response::new().with(Verb::Hangup)
}

pub(super) fn apology(text: &str) -> Response {
    Response::new().with(Verb::Say(Say::text(text))).with(Verb::Hangup)
}

/// What a caller gets for whom there is no line, by the settings. `wait` counts how often they were told to wait.
pub(super) fn overflow(settings: &Settings, wait: u32) -> Response {
    match (&settings.places, settings.overflow) {
        (Some(places), Overflow::Queue) if wait < QUEUE_ROUNDS => {
            let again = format!("{}?wait={}", places.of(paths::VOICE), wait + 1);
            let waiting = Response::new().with(Verb::Say(Say::text(WAITING)));
            waiting.with(Verb::Pause(Pause { length: Some(QUEUE_PAUSE) })).with(Verb::Redirect(Redirect::to(again)))
        }
        (Some(places), Overflow::Message) => {
            let record = Record {
                // Nobody leads the call: behind the message it is over.
                action: Some(places.of(paths::ACTION)),
                max_length: Some(MAX_MESSAGE),
                recording_status_callback: Some(places.of(paths::RECORDING)),
                ..Record::default()
            };
            let asked = Response::new().with(Verb::Say(Say::text(MESSAGE)));
            asked.with(Verb::Record(record)).with(Verb::Hangup)
        }
        _ => apology(APOLOGY),
    }
}

/// Connects the person with somebody else; then the call comes back to us.
pub(super) fn transfer(
    live: &Live,
    places: &Places,
    to: &str,
    briefing: Option<&str>,
    ring_timeout: Duration,
) -> Response {
    let number = Number {
        url: briefing.map(|token| format!("{}{token}", places.of(paths::BRIEFING))),
        number: to.to_owned(),
        ..Number::default()
    };
    let dial = Dial {
        action: Some(format!("{}&after=transfer", places.about(paths::ACTION, live.session.id().as_str()))),
        answer_on_bridge: Some(true),
        timeout: u32::try_from(ring_timeout.as_secs()).ok(),
        caller_id: Some(live.ours.clone()),
        targets: vec![DialTarget::Number(number)],
        ..Dial::default()
    };
    Response::new().with(Verb::Dial(dial))
}

/// Keeps the person waiting until the call is told otherwise.
pub(super) fn hold(announcement: Option<&str>) -> Response {
    match announcement.filter(|text| !text.trim().is_empty()) {
        // Without end.
        Some(text) => Response::new().with(Verb::Say(Say { repeat: Some(0), ..Say::text(text) })),
        None => (0..SILENCES)
            .fold(Response::new(), |document, _| document.with(Verb::Pause(Pause { length: Some(SILENCE) }))),
    }
}

/// Lets the person leave a message.
pub(super) fn voicemail(live: &Live, places: &Places, greeting: &str, max: Duration) -> Response {
    let id = live.session.id().as_str();
    let record = Record {
        action: Some(format!("{}&after=voicemail", places.about(paths::ACTION, id))),
        max_length: u32::try_from(max.as_secs().max(1)).ok(),
        recording_status_callback: Some(places.about(paths::RECORDING, id)),
        ..Record::default()
    };
    let greeted = Response::new().with(Verb::Say(Say::text(greeting)));
    greeted.with(Verb::Record(record)).with(Verb::Hangup)
}

pub(super) fn briefing(text: &str) -> Response {
    Response::new().with(Verb::Say(Say::text(text)))
}

pub(super) fn answer(document: &Response) -> WebhookAnswer {
    WebhookAnswer { content_type: "text/xml", body: document.to_xml() }
}
