//! The whole client against a server that says anything at any time. It never panics, and nothing in it grows beyond
//! its named limit.
//!
//! The input is a list of steps: a byte that says what happens, then what it needs.
#![no_main]

use std::collections::VecDeque;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use trunkline_proto::conversations::client::{Client, ClientOutput, ClientSettings, MAX_CONVERSATIONS};
use trunkline_proto::conversations::{NewMessage, TYPING_INDICATOR};
use trunkline_proto::sync::ObjectKind;
use trunkline_proto::sync::event::{MAX_EVENTS, SYNC_EVENT};
use trunkline_proto::twilsock::client::{MAX_IN_FLIGHT, MAX_QUEUED};
use trunkline_proto::twilsock::{ClientFrame, ClientMessage, HttpStatus, Reply, ServerMessage, Status, TokenText};

/// Steps of one run.
const MAX_STEPS: usize = 300;

/// What the client may want to do after one step: tell each event of a notification in several ways, answer everything
/// that waits, and ask as much as it may.
const MAX_OUTPUTS: usize = 4 * MAX_EVENTS + 2 * (MAX_QUEUED + MAX_IN_FLIGHT) + 3 * MAX_CONVERSATIONS;

/// The rest of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Two bytes of length, then as many bytes as are left of it.
    fn bytes(&mut self) -> &'a [u8] {
        let high = usize::from(self.byte().unwrap_or_default());
        let length = (high << 8 | usize::from(self.byte().unwrap_or_default())).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }
}

struct Server {
    client: Client,
    now: Duration,
    /// Requests that wait for their answer: id, path, body.
    asked: VecDeque<(String, String, Vec<u8>)>,
}

impl Server {
    fn settle(&mut self) {
        for outputs in 0.. {
            assert!(outputs < MAX_OUTPUTS, "it wants too much at once");
            let Some(output) = self.client.poll_output() else { break };
            match output {
                ClientOutput::Open => self.client.opened(self.now),
                ClientOutput::NeedToken => {
                    self.client.token(self.now, TokenText("token".to_owned()), Duration::from_secs(3600));
                }
                ClientOutput::Send(bytes) => {
                    let frame = ClientFrame::decode(&bytes).expect("the client writes frames");
                    match frame.message {
                        ClientMessage::Request(request) => {
                            self.asked.push_back((frame.id, request.path, frame.payload.to_vec()));
                        }
                        ClientMessage::Init(_) => {
                            self.asked.clear();
                            self.asked.push_back((frame.id, String::new(), Vec::new()));
                        }
                        ClientMessage::Update { .. } => {
                            self.asked.push_back((frame.id, String::new(), Vec::new()));
                        }
                        _ => {}
                    }
                    // Beyond that the client waits, but for the replies that it has given up after their time.
                    while self.asked.len() > 2 * MAX_IN_FLIGHT {
                        self.asked.pop_front();
                    }
                }
                ClientOutput::Close => self.asked.clear(),
                _ => {}
            }
        }
        let now = self.client.snapshot();
        assert!(now.conversations <= MAX_CONVERSATIONS);
        assert!(now.open_conversations <= now.conversations);
        assert!(now.subscriptions.1 <= now.subscriptions.0);
        assert!(now.subscriptions.0 <= 1 + 3 * MAX_CONVERSATIONS);
    }

    fn reply(&mut self, code: u16, body: &[u8]) {
        let Some((id, _, _)) = self.asked.pop_front() else { return };
        let mut reply = Reply::of(Status::ok());
        reply.http_status = Some(HttpStatus { code, status: String::new() });
        self.client.received(self.now, &ServerMessage::Reply(Box::new(reply)).encode(&id, body));
    }

    /// Answers as a good server would.
    fn reply_well(&mut self) {
        let Some((_, path, body)) = self.asked.front() else { return };
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let answer = good_answer(path);
        let is_establishing = path == "/v4/Subscriptions" && asked["action"] == "establish";
        self.reply(200, answer.to_string().as_bytes());
        if !is_establishing {
            return;
        }
        for request in asked["requests"].as_array().into_iter().flatten() {
            let established = json!({
                "event_type": "subscription_established", "correlation_id": asked["correlation_id"],
                "event": {"object_sid": request["object_sid"], "replay_status": "completed",
                          "last_event_id": request["last_event_id"]},
            });
            self.notify(SYNC_EVENT, established.to_string().as_bytes());
        }
    }

    fn notify(&mut self, message_type: &str, payload: &[u8]) {
        let message = ServerMessage::Notification { message_type: message_type.to_owned() };
        self.client.received(self.now, &message.encode("id", payload));
    }
}

/// One conversation, `CH1`, with ada and the bot.
fn good_answer(path: &str) -> Value {
    let items = |items: Value| json!({"items": items, "meta": {"next_token": null}});
    let object =
        |sid: &str| json!({"sid": sid, "last_event_id": 1, "links": {"items": format!("https://c/v3/Items/{sid}")}});
    let last = path.split('?').next().unwrap_or_default();
    match last {
        "/Client/v2/Configuration" => json!({
            "identity": "bot", "sync_objects": {"my_user_info": "US1.info", "my_conversations": "US1.channels"},
            "links": {"my_conversations": "https://a/mine", "conversations": "https://a/all", "typing": "https://a/typing"},
        }),
        "/v3/Items/MPmine" => items(json!([
            {"key": "CH1", "last_event_id": 1, "data": {"status": "joined", "channel": "CH1.channel"}},
        ])),
        "/v3/Items/MP1" => items(json!([
            {"key": "MB1", "last_event_id": 1, "data": {"identity": "ada", "type": "chat"}},
            {"key": "MB2", "last_event_id": 1, "data": {"identity": "bot", "type": "chat"}},
        ])),
        _ if last.starts_with("/v3/Items/") => items(json!([])),
        _ if last.starts_with("/v3/Documents/") => json!({"sid": "ET1", "last_event_id": 1, "data": {
            "sid": "CH1", "messages": "CH1.messages", "roster": "CH1.roster", "lastMessage": {"index": 3},
        }}),
        _ if last.ends_with(".channels") => object("MPmine"),
        _ if last.starts_with("/v3/Lists/") => object("ES1"),
        _ if last.starts_with("/v3/Maps/") => object("MP1"),
        "/v4/Subscriptions" => json!({"max_batch_size": 100, "ttl_in_s": 3600, "estimated_delivery_in_ms": 5000}),
        _ => json!({"sid": "IM1", "index": 4}),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let settings = ClientSettings { region: None, edge: None, seed: 1, started_ms: 1 };
    let mut server = Server { client: Client::new(&settings), now: Duration::ZERO, asked: VecDeque::new() };
    server.client.start(server.now);
    server.settle();
    for _ in 0..MAX_STEPS {
        let Some(step) = input.byte() else { break };
        match step % 16 {
            0 => {
                let bytes = input.bytes();
                server.client.received(server.now, bytes);
            }
            1 => {
                server.now += Duration::from_millis(100) * u32::from(input.byte().unwrap_or_default());
                server.client.elapsed(server.now);
            }
            2 => {
                server.now = server.client.next_deadline().unwrap_or_default().max(server.now);
                server.client.elapsed(server.now);
            }
            3 => {
                server.asked.clear();
                server.client.closed(server.now, "cut");
            }
            4 => {
                let code = [200, 201, 403, 404, 409, 429, 500, 0][usize::from(input.byte().unwrap_or_default() % 8)];
                let body = input.bytes();
                server.reply(code, body);
            }
            5 | 6 => {
                let types = [
                    SYNC_EVENT,
                    TYPING_INDICATOR,
                    ObjectKind::Document.live_type(),
                    ObjectKind::List.live_type(),
                    ObjectKind::Map.live_type(),
                ];
                let message_type = types[usize::from(input.byte().unwrap_or_default() % 5)];
                let payload = input.bytes();
                server.notify(message_type, payload);
            }
            7 => {
                let body = String::from_utf8_lossy(input.bytes()).into_owned();
                let message = NewMessage { body: Some(body), ..NewMessage::default() };
                let _sent = server.client.send_message(server.now, "CH1", &message, "mutation").is_ok();
            }
            8 => {
                let _told = server.client.typing(server.now, "CH1").is_ok();
            }
            9 => {
                let index = input.byte().map(u64::from);
                let _told = server.client.set_read_horizon(server.now, "CH1", index, "mutation").is_ok();
            }
            10 => {
                let close = ServerMessage::Close { status: Status::ok() };
                let bytes = close.encode("id", input.bytes());
                server.client.received(server.now, &bytes);
            }
            11 => server.client.stop(server.now),
            12 => server.client.start(server.now),
            _ => server.reply_well(),
        }
        server.settle();
    }
});
