//! The client against a server that answers as it is told, well or badly.

use serde_json::{Value, json};

use super::*;
use crate::conversations::NewMessage;
use crate::sync::event::SYNC_EVENT;
use crate::twilsock::{ClientFrame, ClientMessage, HttpStatus, Reply, ServerMessage, Status};

const SECOND: Duration = Duration::from_secs(1);

/// A server that answers requests by their path from a table, and everything else with 404.
struct Server {
    client: Client,
    now: Duration,
    /// Path prefixes and what they answer.
    answers: Vec<(String, Value)>,
    /// Requests that came: method, path, body.
    requests: Vec<(String, String, Value)>,
    events: Vec<Event>,
    is_mute: bool,
}

fn document(sid: &str, last: Option<u64>) -> Value {
    let data = json!({
        "sid": sid, "messages": format!("{sid}.messages"), "roster": format!("{sid}.roster"),
        "lastMessage": last.map(|index| json!({ "index": index })),
    });
    json!({"sid": format!("ET{sid}"), "last_event_id": 1, "data": data})
}

fn object(sid: &str) -> Value {
    json!({"sid": sid, "last_event_id": 1, "links": {"items": format!("https://cds/v3/Items/{sid}")}})
}

fn page(items: &Value, more: bool) -> Value {
    json!({"items": items, "meta": {"next_token": more.then_some("n")}})
}

fn mine(sid: &str) -> Value {
    json!({"status": "joined", "channel": format!("{sid}.channel")})
}

fn message(index: u64) -> Value {
    json!({"sid": format!("IM{index}"), "index": index, "author": "ada", "text": "hello"})
}

impl Server {
    /// A client that is connected and in one conversation, `CH1`, with ada and the bot.
    fn started() -> Self {
        let mut server = Self::new();
        server.start();
        assert_eq!(server.client.snapshot().open_conversations, 1);
        server
    }

    fn new() -> Self {
        let settings = ClientSettings { region: None, edge: None, seed: 1, started_ms: 1 };
        let participants = json!([
            {"key": "MB1", "last_event_id": 1, "data": {"identity": "ada", "type": "chat"}},
            {"key": "MB2", "last_event_id": 1, "data": {"identity": "bot", "type": "chat"}},
        ]);
        let conversations = json!([{"key": "CH1", "last_event_id": 1, "data": mine("CH1")}]);
        let answers = [
            (
                "/Client/v2/Configuration",
                json!({
                    "identity": "bot", "sync_objects": {"my_user_info": "US1.info", "my_conversations": "US1.channels"},
                    "links": {"my_conversations": "https://aim/mine", "conversations": "https://aim/all",
                              "typing": "https://aim/typing"},
                }),
            ),
            ("/v3/Maps/US1.channels", object("MPmine")),
            ("/v3/Items/MPmine", page(&conversations, false)),
            ("/v3/Documents/CH1.channel", document("CH1", None)),
            ("/v3/Lists/CH1.messages", object("ES1")),
            ("/v3/Maps/CH1.roster", object("MP1")),
            ("/v3/Items/MP1", page(&participants, false)),
            ("/v4/Subscriptions", json!({"max_batch_size": 100, "ttl_in_s": 3600, "estimated_delivery_in_ms": 5000})),
            ("/all/CH1/Messages", json!({"sid": "IM9", "index": 9})),
            ("/all/CH2/Participants", json!({"sid": "MB9"})),
            ("/mine/CH1", json!({"unread_messages_count": 0})),
            ("/typing", json!({"typing_timeout": 5})),
        ];
        Self {
            client: Client::new(&settings),
            now: Duration::ZERO,
            answers: answers.map(|(path, answer)| (path.to_owned(), answer)).to_vec(),
            requests: Vec::new(),
            events: Vec::new(),
            is_mute: false,
        }
    }

    fn answer(&mut self, path: &str, answer: Value) {
        self.answers.retain(|(known, _)| known != path);
        self.answers.insert(0, (path.to_owned(), answer));
    }

    fn start(&mut self) {
        self.client.start(self.now);
        self.settle();
        self.pass(SECOND);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.client.elapsed(self.now);
        self.settle();
    }

    fn cut(&mut self) {
        self.client.closed(self.now, "cut");
        self.settle();
        self.pass(2 * SECOND);
        self.pass(SECOND);
    }

    /// Serves until the client wants nothing more.
    fn settle(&mut self) {
        let mut steps = 0;
        while let Some(output) = self.client.poll_output() {
            steps += 1;
            assert!(steps < 100_000, "it never ends");
            match output {
                ClientOutput::Open => self.client.opened(self.now),
                ClientOutput::NeedToken => self.client.token(self.now, TokenText("t".into()), 3600 * SECOND),
                ClientOutput::Send(bytes) => self.received(&bytes),
                ClientOutput::Close => {}
                ClientOutput::Event(event) => self.events.push(event),
            }
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        let frame = ClientFrame::decode(bytes).unwrap();
        let id = frame.id.clone();
        let mut reply = Reply::of(Status::ok());
        let mut body = Vec::new();
        match frame.message {
            ClientMessage::Init(_) | ClientMessage::Update { .. } => {}
            ClientMessage::Request(request) => {
                let said: Value = serde_json::from_slice(frame.payload).unwrap_or(Value::Null);
                let known = self.answers.iter().find(|(path, _)| request.path.starts_with(path));
                let answer = known.map(|(_, answer)| answer.clone());
                let code = answer.as_ref().map_or(404, |answer| {
                    answer["fails_with"].as_u64().map_or(200, |code| u16::try_from(code).unwrap())
                });
                reply.http_status = Some(HttpStatus { code, status: "x".into() });
                body = serde_json::to_vec(&answer.unwrap_or_default()).unwrap();
                if request.path == "/v4/Subscriptions" && said["action"] == "establish" && !self.is_mute {
                    self.client.received(self.now, &ServerMessage::Reply(Box::new(reply)).encode(&id, &body));
                    return self.establish(&said);
                }
                self.requests.push((request.method, request.path, said));
            }
            _ => return,
        }
        if !self.is_mute {
            self.client.received(self.now, &ServerMessage::Reply(Box::new(reply)).encode(&id, &body));
        }
    }

    fn establish(&mut self, batch: &Value) {
        for request in batch["requests"].as_array().unwrap() {
            self.notify(
                SYNC_EVENT,
                &json!({
                    "event_type": "subscription_established", "correlation_id": batch["correlation_id"],
                    "event": {"object_sid": request["object_sid"], "replay_status": "completed",
                              "last_event_id": request["last_event_id"]},
                }),
            );
        }
    }

    fn notify(&mut self, kind: &str, payload: &Value) {
        let message = ServerMessage::Notification { message_type: kind.to_owned() };
        self.client.received(self.now, &message.encode("n", payload.to_string().as_bytes()));
    }

    fn tell(&mut self, event_type: &str, event: &Value) {
        self.notify("com.twilio.rtd.cds.list", &json!({"event_type": event_type, "event": event}));
        self.settle();
    }

    fn add_message(&mut self, id: u64, index: u64) {
        let event = json!({"id": id, "list_sid": "ES1", "item_index": index, "item_data": message(index)});
        self.tell("list_item_added", &event);
    }

    /// The indexes that were told, in order.
    fn told(&self) -> Vec<u64> {
        let added = self.events.iter().filter_map(|event| match event {
            Event::MessageAdded(message) => Some(message.data.index),
            _ => None,
        });
        added.collect()
    }

    fn has(&self, fits: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(fits)
    }
}

#[test]
fn it_opens_what_it_is_in_and_says_so_once() {
    let mut server = Server::started();
    let told = |fits: fn(&Event) -> bool| server.events.iter().filter(|event| fits(event)).count();
    assert_eq!(told(|event| matches!(event, Event::Initialized)), 1);
    assert_eq!(told(|event| matches!(event, Event::ConversationJoined(_))), 1);
    assert_eq!(told(|event| matches!(event, Event::ParticipantJoined(_))), 0, "who was there before is no news");
    assert_eq!(server.client.snapshot().subscriptions, (4, 4));
    server.cut();
    assert_eq!(server.client.snapshot().subscriptions, (4, 4));
    let joined = server.events.iter().filter(|event| matches!(event, Event::ConversationJoined(_))).count();
    assert_eq!((joined, server.client.snapshot().counters.losses), (1, 1));
}

#[test]
fn messages_are_told_once_and_a_gap_is_read_from_the_list() {
    let mut server = Server::started();
    server.add_message(2, 0);
    server.add_message(2, 0);
    let rest: Vec<_> =
        (1..4).map(|index| json!({"index": index, "last_event_id": 9, "data": message(index)})).collect();
    server.answer("/v3/Items/ES1", page(&Value::Array(rest), false));
    server.add_message(9, 3);
    server.pass(SECOND);
    assert_eq!(server.told(), [0, 1, 2, 3]);
    server.add_message(10, 4);
    assert_eq!(server.told(), [0, 1, 2, 3, 4]);
    assert_eq!(server.client.snapshot().subscriptions, (4, 4));
}

#[test]
fn changes_and_removals_are_told() {
    let mut server = Server::started();
    server.add_message(2, 0);
    let changed = json!({"id": 3, "list_sid": "ES1", "item_index": 0, "item_data": message(0)});
    server.tell("list_item_updated", &changed);
    server.tell("list_item_removed", &json!({"id": 4, "list_sid": "ES1", "item_index": 0, "item_data": message(0)}));
    assert!(server.has(|event| matches!(event, Event::MessageUpdated(_))));
    assert!(
        server.has(|event| matches!(event, Event::MessageRemoved { index: 0, message: Some(sid), .. } if sid == "IM0"))
    );
    let document = json!({"id": 5, "document_sid": "ETCH1", "document_data": document("CH1", None)["data"]});
    server.tell("document_updated", &document);
    assert!(server.has(|event| matches!(event, Event::ConversationUpdated(_))));
    server.tell("document_removed", &json!({"id": 6, "document_sid": "ETCH1"}));
    assert!(server.has(|event| matches!(event, Event::ConversationRemoved { .. })));
    assert_eq!(server.client.snapshot().conversations, 0);
}

#[test]
fn people_come_go_and_read() {
    let mut server = Server::started();
    let roster =
        |id: u64, key: &str| json!({"id": id, "map_sid": "MP1", "item_key": key, "item_data": {"identity": key}});
    server.tell("map_item_added", &roster(2, "MB3"));
    server.tell("map_item_updated", &roster(3, "MB3"));
    server.tell("map_item_updated", &roster(3, "MB3"));
    server.tell("map_item_removed", &json!({"id": 4, "map_sid": "MP1", "item_key": "MB3"}));
    let told: Vec<_> = server
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ParticipantJoined(change) => Some(("joined", change.participant.as_str())),
            Event::ParticipantUpdated(change) => Some(("updated", change.participant.as_str())),
            Event::ParticipantLeft(change) => Some(("left", change.participant.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(told, [("joined", "MB3"), ("updated", "MB3"), ("left", "MB3")]);
    let mut read = mine("CH1");
    read["lastConsumedMessageIndex"] = json!(7);
    server.tell("map_item_updated", &json!({"id": 9, "map_sid": "MPmine", "item_key": "CH1", "item_data": read}));
    assert!(server.has(|event| matches!(event, Event::ReadHorizonChanged { last_read: Some(7), .. })));
    server.tell("map_item_removed", &json!({"id": 10, "map_sid": "MPmine", "item_key": "CH1"}));
    assert!(server.has(|event| matches!(event, Event::ConversationLeft { .. })));
}

#[test]
fn it_joins_where_it_is_invited() {
    let mut server = Server::started();
    let invitation = json!({"status": "invited", "channel": "CH2.channel"});
    server.tell("map_item_added", &json!({"id": 5, "map_sid": "MPmine", "item_key": "CH2", "item_data": invitation}));
    let joined = server.requests.iter().find(|(method, path, _)| method == "POST" && path == "/all/CH2/Participants");
    assert_eq!(joined.unwrap().2["identity"], "bot");
}

#[test]
fn commands_come_to_their_end() {
    let mut server = Server::new();
    let text = NewMessage { body: Some("hello".into()), ..NewMessage::default() };
    let early = server.client.send_message(Duration::ZERO, "CH1", &text, "m");
    assert_eq!(early.unwrap_err(), RequestError::Offline);
    server.start();
    let now = server.now;
    let sent = server.client.send_message(now, "CH1", &text, "m").unwrap();
    server.client.set_read_horizon(now, "CH1", Some(3), "n").unwrap();
    assert!(server.client.typing(now, "CH1").unwrap().is_some());
    assert!(server.client.typing(now, "CH1").unwrap().is_none(), "it was told a moment ago");
    assert!(server.client.typing(now, "CH7").unwrap().is_none(), "it is not in there");
    let nowhere = server.client.send_message(now, "CH7", &text, "o").unwrap();
    server.settle();
    let done = |wanted| {
        server.events.iter().find_map(|event| match event {
            Event::Done { command, outcome } if *command == wanted => Some(outcome.clone()),
            _ => None,
        })
    };
    assert_eq!(done(sent), Some(Ok(Done::Sent { index: 9, message: Some("IM9".into()) })));
    assert!(matches!(done(nowhere), Some(Err(RequestError::Refused { status: 404, .. }))));
    let read = server.requests.iter().find(|(_, path, _)| path == "/mine/CH1").unwrap();
    assert_eq!(read.2, json!({"last_read_message_index": 3}));
}

#[test]
fn typing_holds_for_its_time_and_ends_with_a_message() {
    let mut server = Server::started();
    let typing = |who: &str| json!({"channel_sid": "CH1", "identity": who, "typing_timeout": 5});
    for who in ["ada", "ada", "bot"] {
        server.notify(super::super::TYPING_INDICATOR, &typing(who));
        server.settle();
    }
    let started = server.events.iter().filter(|event| matches!(event, Event::TypingStarted { .. })).count();
    assert_eq!(started, 1, "once, and not of itself");
    server.add_message(2, 0);
    assert!(server.has(|event| matches!(event, Event::TypingEnded { .. })));
    server.events.clear();
    server.notify(super::super::TYPING_INDICATOR, &typing("ada"));
    server.pass(4 * SECOND);
    assert!(!server.has(|event| matches!(event, Event::TypingEnded { .. })));
    server.pass(SECOND);
    assert!(server.has(|event| matches!(event, Event::TypingEnded { .. })));
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let mut server = Server::started();
    server.is_mute = true;
    server.pass(PROBE_AFTER);
    server.pass(PROBE_TIMEOUT);
    let lost = server.events.iter().find_map(|event| match event {
        Event::ConnectionStateChanged(_, Some(loss)) => Some(loss.code),
        _ => None,
    });
    assert_eq!(lost, Some("realtime.silent"));
}

#[test]
fn what_fails_at_the_start_is_tried_again() {
    let mut server = Server::new();
    server.answer("/v3/Documents/CH1.channel", json!({"fails_with": 503}));
    server.answer("/v3/Maps/US1.channels", json!({"fails_with": 500}));
    server.start();
    assert_eq!(server.client.snapshot().conversations, 0);
    server.answer("/v3/Maps/US1.channels", object("MPmine"));
    server.pass(SECOND);
    assert_eq!(server.client.snapshot().open_conversations, 0);
    server.answer("/v3/Documents/CH1.channel", document("CH1", None));
    server.pass(SECOND);
    server.pass(SECOND);
    assert_eq!(server.client.snapshot().open_conversations, 1);
}

#[test]
fn what_was_left_while_nobody_listened_is_told_when_the_map_is_read_anew() {
    let mut server = Server::started();
    server.answer("/v3/Items/MPmine", page(&json!([]), false));
    let gone = json!({"object_sid": "MPmine", "error": {"status": 404, "code": 20404, "message": "gone"}});
    server.client.closed(server.now, "cut");
    server.settle();
    server.answer("/v4/Subscriptions", json!({}));
    server.is_mute = false;
    server.now += 2 * SECOND;
    server.client.elapsed(server.now);
    // Connect, and let the map's subscription fail before anything else.
    while let Some(output) = server.client.poll_output() {
        match output {
            ClientOutput::Open => server.client.opened(server.now),
            ClientOutput::NeedToken => server.client.token(server.now, TokenText("t".into()), 3600 * SECOND),
            ClientOutput::Send(bytes) => {
                let frame = ClientFrame::decode(&bytes).unwrap();
                let batch: Value = serde_json::from_slice(frame.payload).unwrap_or_default();
                if batch["action"] == "establish" {
                    let correlation = batch["correlation_id"].clone();
                    let event =
                        json!({"event_type": "subscription_failed", "correlation_id": correlation, "event": gone});
                    server.notify(SYNC_EVENT, &event);
                } else {
                    server.received(&bytes);
                }
            }
            ClientOutput::Event(event) => server.events.push(event),
            ClientOutput::Close => {}
        }
    }
    assert!(server.has(|event| matches!(event, Event::ConversationLeft { .. })), "{:?}", server.events);
}

#[test]
fn endless_lists_end() {
    let mut server = Server::new();
    // A page that always promises another one, with the same item.
    let conversations = json!([{"key": "CH1", "last_event_id": 1, "data": mine("CH1")}]);
    server.answer("/v3/Items/MPmine", page(&conversations, true));
    let people = json!([{"key": "MB1", "last_event_id": 1, "data": {"identity": "ada"}}]);
    server.answer("/v3/Items/MP1", page(&people, true));
    server.start();
    assert_eq!(server.client.snapshot().open_conversations, 1);
}

#[test]
fn more_than_a_client_holds_is_left_out_and_counted() {
    let mut server = Server::started();
    for number in 0..MAX_PARTICIPANTS + 10 {
        let key = format!("MBx{number}");
        let event = json!({"id": number + 2, "map_sid": "MP1", "item_key": key, "item_data": {"identity": key}});
        server.tell("map_item_added", &event);
    }
    assert_eq!(server.client.snapshot().counters.over_limit, 12);
    for number in 0..MAX_CONVERSATIONS + 5 {
        let key = format!("CHx{number}");
        let event = json!({"id": number + 2, "map_sid": "MPmine", "item_key": key, "item_data": mine(&key)});
        server.notify("com.twilio.rtd.cds.map", &json!({"event_type": "map_item_added", "event": event}));
    }
    assert_eq!(server.client.snapshot().counters.over_limit, 18);
}

#[test]
fn what_is_too_long_is_left_out() {
    let mut server = Server::started();
    let mut long = message(0);
    long["text"] = json!("x".repeat(MAX_DATA_BYTES));
    server.tell("list_item_added", &json!({"id": 2, "list_sid": "ES1", "item_index": 0, "item_data": long}));
    let name = "x".repeat(2000);
    let event = json!({"id": 2, "map_sid": "MP1", "item_key": "MB3", "item_data": {"identity": name}});
    server.tell("map_item_added", &event);
    server.tell("map_item_added", &json!({"id": 2, "map_sid": "MPmine", "item_key": name, "item_data": mine(&name)}));
    assert_eq!(server.client.snapshot().counters.payloads_refused, 3);
    assert_eq!((server.told(), server.client.snapshot().conversations), (Vec::new(), 1));
}

#[test]
fn nonsense_is_counted_and_harms_nothing() {
    let mut server = Server::started();
    server.notify("com.twilio.rtd.cds.list", &json!([1]));
    server.notify(super::super::TYPING_INDICATOR, &json!({"identity": 1}));
    server.tell("list_item_added", &json!({"id": 2, "list_sid": "ES1", "item_index": 0, "item_data": {"index": "x"}}));
    server.tell("map_item_added", &json!({"id": 2, "map_sid": "MP1", "item_key": "MB1", "item_data": 7}));
    server.client.received(server.now, b"TWILSOCK V3.0 5\r\nabc");
    assert_eq!(server.client.snapshot().counters.payloads_refused, 4);
    server.add_message(3, 0);
    assert_eq!(server.told(), [0]);
}
