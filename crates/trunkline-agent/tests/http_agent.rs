//! The HTTP agent against servers on sockets, well-behaved and not.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use trunkline_agent::{Agent as _, AgentError, HttpAgent, HttpAgentConfig, Reply, Role, Turn, Utterance, collect};
use trunkline_core::{Channel, Pii, Retry, Secret};

const SECRET: &str = "a-secret-of-the-tests";
const DEADLINE: Duration = Duration::from_secs(20);
const MAX_REPLY: usize = 64 << 10;

/// A request as it came over the wire.
#[derive(Clone)]
struct Seen {
    head: String,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Answers every request with the same bytes, piece by piece, each flushed; then closes, or stays silent.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    gone: Arc<Notify>,
    _task: JoinSet<()>,
}

async fn server(pieces: Vec<Vec<u8>>, closes: bool) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let url = format!("http://{}/turn?x=1", listener.local_addr().expect("address"));
    let (seen, gone) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(Notify::new()));
    let mut task = JoinSet::new();
    let (to, left) = (Arc::clone(&seen), Arc::clone(&gone));
    task.spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.expect("connection");
            let (mut text, mut buffer) = (String::new(), [0; 4096]);
            let request = loop {
                let read = socket.read(&mut buffer).await.expect("bytes");
                text.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let seen = Seen { head: head.to_owned(), body: body.to_owned() };
                let length: usize = seen.header("content-length").expect("a length").parse().expect("a number");
                if seen.body.len() == length {
                    break seen;
                }
            };
            to.lock().expect("lock").push(request);
            let mut is_there = true;
            for piece in &pieces {
                is_there &= socket.write_all(piece).await.is_ok() && socket.flush().await.is_ok();
                tokio::task::yield_now().await;
            }
            if !closes || !is_there {
                // Until the other side goes away.
                while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                left.notify_one();
            }
        }
    });
    Server { url, seen, gone, _task: task }
}

fn answer(head: &str, body: &[&str]) -> Vec<Vec<u8>> {
    let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
    std::iter::once(head.into_bytes()).chain(body.iter().map(|piece| piece.as_bytes().to_vec())).collect()
}

fn json_answer(body: &str) -> Vec<Vec<u8>> {
    answer("200 OK\r\ncontent-type: application/json; charset=utf-8", &[body])
}

fn stream_answer(body: &[&str]) -> Vec<Vec<u8>> {
    answer("200 OK\r\ncontent-type: text/event-stream", body)
}

fn turn() -> Turn {
    Turn {
        id: "turn-00ff".into(),
        attempt: 2,
        deadline: DEADLINE,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        conversation: "c1".into(),
        contact: "p1".into(),
        channel: Channel::Whatsapp,
        input: vec![Pii::new("one".into()), Pii::new("two \"é\"".into())],
        attachments: Vec::new(),
        recalled: Vec::new(),
        summary: None,
        history: vec![
            Utterance { role: Role::Person, text: Pii::new("hello".into()) },
            Utterance { role: Role::Agent, text: Pii::new("hi".into()) },
        ],
        memories: BTreeMap::from([("name".into(), "Ada".into()), (".handed_over".into(), "now".into())]),
    }
}

fn agent(url: &str) -> HttpAgent {
    HttpAgent::new(HttpAgentConfig { secret: Secret::new(SECRET), ..HttpAgentConfig::new(url) }).expect("an agent")
}

async fn ask(url: &str, turn: Turn) -> Result<Reply, AgentError> {
    collect(agent(url).respond(turn).await?, MAX_REPLY).await
}

async fn asked(pieces: Vec<Vec<u8>>) -> Result<Reply, AgentError> {
    let server = server(pieces, true).await;
    ask(&server.url, turn()).await
}

#[tokio::test]
async fn a_turn_is_one_signed_post_and_the_answer_one_object() {
    let server = server(json_answer(r#"{"text":"hello Ada","remember":{"mood":"good"},"hand_over":true}"#), true).await;
    let reply = ask(&server.url, turn()).await.expect("a reply");
    assert_eq!(reply.text.expose(), "hello Ada");
    assert_eq!(reply.memories, BTreeMap::from([("mood".to_owned(), "good".to_owned())]));
    assert!(reply.hand_over);

    let seen = server.seen.lock().expect("lock").clone();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].head.starts_with("POST /turn?x=1 HTTP/1.1"), "{}", seen[0].head);
    let expected = json!({
        "turn": "turn-00ff", "attempt": 2, "deadline_ms": 20_000, "conversation": "c1", "contact": "p1",
        "channel": "whatsapp", "input": ["one", "two \"é\""],
        "history": [{"role": "person", "text": "hello"}, {"role": "agent", "text": "hi"}],
        "memories": {"name": "Ada"},
    });
    assert_eq!(serde_json::from_str::<Value>(&seen[0].body).expect("JSON"), expected);
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].header("idempotency-key"), Some("turn-00ff"));
    assert_eq!(seen[0].header("traceparent"), turn().traceparent.as_deref());
    assert_eq!(seen[0].header("authorization"), Some("Bearer a-secret-of-the-tests"));
    let (at, made) = seen[0].header("trunkline-signature").and_then(|value| value.split_once(",v1=")).expect("signed");
    let at = at.strip_prefix("t=").expect("a time");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(format!("{at}.{}", seen[0].body).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!(made, hex);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now.abs_diff(at.parse().expect("seconds")) < 60, "{at}");
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let server = server(answer("204 No Content", &[]), true).await;
    let agent = HttpAgent::new(HttpAgentConfig::new(&server.url)).expect("an agent");
    let reply = collect(agent.respond(turn()).await.expect("a stream"), MAX_REPLY).await.expect("a reply");
    assert_eq!(reply, Reply::default(), "204 says nothing");
    let seen = server.seen.lock().expect("lock").clone();
    assert_eq!((seen[0].header("authorization"), seen[0].header("trunkline-signature")), (None, None));
}

#[tokio::test]
async fn a_stream_in_pieces_is_one_answer() {
    let body = ": hello\r\n\r\nevent: text\r\ndata: {\"text\":\r\ndata: \"Hel\"}\r\n\r\nevent:text\ndata:{\"text\":\"lo é\"}\n\n\
                event: remember\ndata: {\"name\":\"n\",\"value\":\"v\"}\n\nevent: hand_over\ndata: {}\n\nevent: done\ndata: {}\n\n";
    let pieces: Vec<String> = body.chars().map(String::from).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let reply = asked(stream_answer(&pieces)).await.expect("a reply");
    assert_eq!(reply.text.expose(), "Hello é");
    assert_eq!(reply.memories["n"], "v");
    assert!(reply.hand_over);
}

#[tokio::test]
async fn done_ends_the_answer_although_the_connection_stays() {
    let server =
        server(stream_answer(&["event: text\ndata: {\"text\":\"a\"}\n\nevent: done\ndata: 1\n\n"]), false).await;
    assert_eq!(ask(&server.url, turn()).await.expect("a reply").text.expose(), "a");
    tokio::time::timeout(DEADLINE, server.gone.notified()).await.expect("the connection is let go");
}

#[tokio::test]
async fn what_is_cut_off_is_no_answer() {
    let cut = asked(stream_answer(&["event: text\ndata: {\"text\":\"Hello. \"}\n\n"])).await.expect_err("cut");
    assert_eq!((cut.code(), cut.retry()), ("agent.incomplete", Retry::After(Duration::ZERO)));
    // The last event has no empty line behind it.
    let cut = asked(stream_answer(&["event: text\ndata: {\"text\":\"a\"}\n\nevent: done\ndata: {}\n"])).await;
    assert_eq!(cut.expect_err("cut").code(), "agent.incomplete");
    let head = "200 OK\r\ncontent-type: application/json\r\ncontent-length: 100";
    assert_eq!(asked(answer(head, &["{\"text\":"])).await.expect_err("cut").code(), "agent.unreachable");
    assert_eq!(asked(json_answer("{\"text\":")).await.expect_err("cut").code(), "agent.malformed");
}

#[tokio::test]
async fn an_agent_that_takes_too_long_is_let_go() {
    let beginnings = [Vec::new(), stream_answer(&["event: text\ndata: {\"text\":\"a\"}\n\n"]), json_answer("{")];
    for pieces in beginnings {
        let server = server(pieces, false).await;
        let slow = ask(&server.url, Turn { deadline: Duration::from_millis(200), ..turn() }).await.expect_err("slow");
        assert_eq!(slow.code(), "agent.timeout");
        tokio::time::timeout(DEADLINE, server.gone.notified()).await.expect("the connection is let go");
    }
}

#[tokio::test]
async fn dropping_the_answer_cancels_it() {
    let server = server(stream_answer(&["event: text\ndata: {\"text\":\"a\"}\n\n"]), false).await;
    let stream = agent(&server.url).respond(turn()).await.expect("a stream");
    drop(stream);
    tokio::time::timeout(DEADLINE, server.gone.notified()).await.expect("the connection is let go");
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let big = format!("{{\"text\":\"{}\"}}", "x".repeat(300 << 10));
    let line = format!("event: text\ndata: {{\"text\":\"{}\"}}\n\n", "x".repeat(70 << 10));
    let comments = ":x\n\n".repeat(300 << 10);
    let texts = format!("event: text\ndata: {{\"text\":\"{}\"}}\n\n", "x".repeat(40 << 10)).repeat(2);
    let answers = [json_answer(&big), stream_answer(&[&line]), stream_answer(&[&comments]), stream_answer(&[&texts])];
    for pieces in answers {
        assert_eq!(asked(pieces).await.expect_err("too much").code(), "agent.reply_too_long");
    }
    let many: BTreeMap<String, String> = (0..101).map(|number| (number.to_string(), String::new())).collect();
    let many = json!({ "remember": many }).to_string();
    assert_eq!(asked(json_answer(&many)).await.expect_err("too much").code(), "agent.malformed");
}

#[tokio::test]
async fn what_does_not_fit_the_form_is_named_without_its_words() {
    let html = answer("200 OK\r\ncontent-type: text/html", &["<p>private words</p>"]);
    let wrong = [
        (html, "neither application/json nor text/event-stream"),
        (answer("202 Accepted\r\ncontent-type: application/json", &["{}"]), "neither 200 nor 204"),
        (json_answer("[\"private words\"]"), "not an answer in JSON"),
        (json_answer("{\"txt\":\"private words\"}"), "not an answer in JSON"),
        (json_answer("{\"remember\":{\".private words\":\"\"}}"), "begins with a dot"),
        (stream_answer(&["event: text\ndata: private words\n\n"]), "does not fit its type"),
        (stream_answer(&["data: private words\n\n"]), "not text, remember, file, hand_over, end_call or done"),
    ];
    for (pieces, why) in wrong {
        let error = asked(pieces).await.expect_err(why);
        assert_eq!(error.code(), "agent.malformed", "{why}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(why) && !said.contains("private words"), "{said}");
    }
}

#[tokio::test]
async fn statuses_say_whether_to_ask_again() {
    let target = server(json_answer("{}"), true).await;
    let redirect = format!("307 Temporary Redirect\r\nlocation: {}", target.url);
    let after = |seconds| Retry::After(Duration::from_secs(seconds));
    let expected = [
        ("400 Bad Request", "agent.refused", Retry::No),
        ("401 Unauthorized", "agent.refused", Retry::No),
        (redirect.as_str(), "agent.refused", Retry::No),
        ("429 Too Many Requests\r\nretry-after: 7", "agent.unavailable", after(7)),
        ("503 Service Unavailable\r\nretry-after: 30", "agent.unavailable", after(30)),
        ("503 Service Unavailable\r\nretry-after: 31", "agent.unavailable", after(30)),
        ("503 Service Unavailable\r\nretry-after: 99999999", "agent.unavailable", after(30)),
        ("503 Service Unavailable\r\nretry-after: soon", "agent.unavailable", after(0)),
        ("500 Internal Server Error", "agent.unavailable", after(0)),
    ];
    for (head, code, retry) in expected {
        let error = asked(answer(head, &["private words"])).await.expect_err(head);
        assert_eq!((error.code(), error.retry()), (code, retry), "{head}");
    }
    assert!(target.seen.lock().expect("lock").is_empty(), "no redirect is followed");
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("port").local_addr().expect("address");
    let error = ask(&format!("http://{nobody}/"), turn()).await.expect_err("nobody");
    assert_eq!((error.code(), error.retry()), ("agent.unreachable", after(0)));
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    for url in ["", "ftp://a", "localhost:9000", "file:///etc/passwd", "http://user:word@a/"] {
        let problems = HttpAgent::new(HttpAgentConfig::new(url)).err().expect(url);
        assert_eq!(problems.problems()[0].key, "agent.url", "{url}");
    }
    let short = HttpAgentConfig { secret: Secret::new("short"), ..HttpAgentConfig::new("http://127.0.0.1:9") };
    assert_eq!(HttpAgent::new(short).err().expect("short").problems()[0].key, "agent.secret");
}

#[tokio::test]
async fn old_words_are_left_out_when_there_are_too_many() {
    let server = server(json_answer("{}"), true).await;
    let config = HttpAgentConfig { max_history_bytes: 3, ..HttpAgentConfig::new(&server.url) };
    let agent = HttpAgent::new(config).expect("an agent");
    collect(agent.respond(turn()).await.expect("a stream"), MAX_REPLY).await.expect("a reply");
    let body: Value = serde_json::from_str(&server.seen.lock().expect("lock")[0].body).expect("JSON");
    assert_eq!(body["history"], json!([{"role": "agent", "text": "hi"}]));
}
