//! The line: a browser as a phone.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{DEADLINE, PERSON, Receiver, World};

struct Phone(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Phone {
    async fn open(world: &World) -> Self {
        let url = format!("{}/emulator/v1/phones/%2B15550001111/line", world.emulator.url()).replacen("http", "ws", 1);
        let (socket, _) = connect_async(url).await.unwrap();
        let mut phone = Self(socket);
        assert_eq!(phone.message("ready").await["number"], PERSON);
        phone
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(DEADLINE, self.0.next()).await.unwrap();
        next.unwrap().unwrap()
    }

    /// The next message of a type; audio and others are passed over.
    async fn message(&mut self, kind: &str) -> Value {
        loop {
            if let Message::Text(text) = self.next().await {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == kind {
                    return message;
                }
            }
        }
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }
}

#[tokio::test]
async fn a_browser_calls_speaks_presses_and_hears() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let document = "<Response><Gather numDigits=\"1\" action=\"/key\"/></Response>";
    world.answers_with(&receiver, document).await;
    receiver
        .xml("/key", "<Response><Gather input=\"speech\" action=\"/said\"><Play digits=\"9\"/></Gather></Response>");
    receiver.xml("/said", "<Response><Pause length=\"60\"/></Response>");
    let mut phone = Phone::open(&world).await;
    phone.send(json!({"type": "dial"})).await;
    let ringing = phone.message("ringing").await;
    assert_eq!(phone.message("answered").await["call"], ringing["call"]);
    let Message::Binary(audio) = phone.next().await else { panic!("no audio") };
    assert_eq!(audio.len(), 160);
    phone.0.send(Message::binary(vec![0xff; 160])).await.unwrap();
    phone.send(json!({"type": "digit", "digit": "4"})).await;
    assert_eq!(receiver.wait(2).await[1].param("Digits"), "4");
    assert_eq!(phone.message("digit").await["digit"], "9");
    phone.send(json!({"type": "say", "text": "good morning"})).await;
    assert_eq!(phone.message("said").await, json!({"type": "said", "who": "caller", "text": "good morning"}));
    // Without hints there is nothing to listen for: what was typed is what was said.
    assert_eq!(receiver.wait(3).await[2].param("SpeechResult"), "good morning");
    phone.send(json!({"type": "digit", "digit": "x"})).await;
    assert!(phone.message("error").await["message"].as_str().unwrap().contains("digit"));
    phone.send(json!({"type": "hang_up"})).await;
    let ended = phone.message("ended").await;
    assert_eq!((&ended["call"], &ended["status"]), (&ringing["call"], &json!("completed")));
    // Free again.
    phone.send(json!({"type": "hang_up"})).await;
    assert!(phone.message("error").await["message"].as_str().unwrap().contains("no call"));
}

#[tokio::test]
async fn a_browser_is_called_and_the_newest_line_wins() {
    let world = World::start().await;
    let mut phone = Phone::open(&world).await;
    let twiml = ("Twiml", "<Response><Pause length=\"30\"/></Response>");
    let sid = world.dial(&[twiml]).await;
    let incoming = phone.message("incoming").await;
    assert_eq!(incoming["call"], sid);
    phone.send(json!({"type": "reject"})).await;
    world.call_at(&sid, "busy").await;
    assert_eq!(phone.message("ended").await["status"], "busy");
    let sid = world.dial(&[twiml]).await;
    phone.message("incoming").await;
    phone.send(json!({"type": "answer"})).await;
    assert_eq!(phone.message("answered").await["call"], sid);
    world.call_at(&sid, "in-progress").await;
    // Who is in a call is busy, and hears nothing of it.
    let other = world.dial(&[twiml]).await;
    world.call_at(&other, "busy").await;
    // The first line is replaced; its call ends with it.
    let second = Phone::open(&world).await;
    assert!(phone.message("error").await["message"].as_str().unwrap().contains("elsewhere"));
    world.call_at(&sid, "completed").await;
    drop(second);
    // Without a line the phone answers by its rule again.
    let sid = world.dial(&[("Twiml", "<Response/>")]).await;
    world.call_at(&sid, "completed").await;
}

#[tokio::test]
async fn a_browser_is_told_the_words_of_the_other_side_where_they_are_known() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.answers_with(&receiver, "<Response><Say>Good morning.</Say><Pause length=\"30\"/></Response>").await;
    let mut phone = Phone::open(&world).await;
    phone.send(json!({"type": "dial"})).await;
    assert_eq!(phone.message("said").await, json!({"type": "said", "who": "agent", "text": "Good morning."}));
    phone.send(json!({"type": "hang_up"})).await;
    assert_eq!(phone.message("ended").await["status"], "completed");
}
