//! ConversationRelay: words at a server.

use serde_json::json;

use crate::support::{PERSON, Receiver, Server, World};

#[tokio::test]
async fn words_are_understood_spoken_and_interrupted() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let server = Server::start(world.emulator.account()).await;
    let document = format!(
        "<Response><Connect action=\"/after\"><ConversationRelay url=\"{}\" dtmfDetection=\"true\" \
         hints=\"yes please, cancel my appointment\" welcomeGreeting=\"hello\"/></Connect></Response>",
        server.url()
    );
    world.answers_with(&receiver, &document).await;
    receiver.xml("/after", "<Response/>");
    let steps = json!([
        {"wait_for_speech": {}},
        {"say": "yes please"},
        {"talk_over": {"after_ms": 900, "say": "cancel my appointment"}},
        {"pause_ms": 1500},
        {"digits": "7"},
        {"wait_for_hang_up": {}},
    ]);
    let talk = async {
        let mut peer = server.accept().await;
        let setup = peer.next().await.unwrap();
        assert_eq!(
            (&setup["type"], &setup["from"], &setup["direction"]),
            (&json!("setup"), &json!(PERSON), &json!("inbound"))
        );
        assert!(setup["sessionId"].as_str().unwrap().starts_with("VX"));
        let prompt = peer.next().await.unwrap();
        assert_eq!(prompt, json!({"type": "prompt", "voicePrompt": "yes please", "lang": "en-US", "last": true}));
        for (token, last) in
            [("I can tell you ", false), ("a very long story. And ", false), ("then some more of it.", true)]
        {
            peer.send(json!({"type": "text", "token": token, "last": last})).await;
        }
        let interrupt = peer.next().await.unwrap();
        assert_eq!(interrupt["type"], "interrupt");
        let heard = interrupt["utteranceUntilInterrupt"].as_str().unwrap();
        assert!("I can tell you a very long story. And then some more".starts_with(heard), "{heard}");
        let ms = interrupt["durationUntilInterruptMs"].as_u64().unwrap();
        assert!((800..2500).contains(&ms), "{ms}");
        let prompt = peer.next().await.unwrap();
        assert_eq!(prompt["voicePrompt"], "cancel my appointment");
        assert_eq!(peer.next().await.unwrap(), json!({"type": "dtmf", "digit": "7"}));
        peer.send(json!({"type": "text"})).await;
        assert_eq!(peer.next().await.unwrap()["type"], "error");
        peer.send(json!({"type": "end", "handoffData": "{\"to\":\"desk\"}"})).await;
        assert!(peer.next().await.is_none());
    };
    let call = world.script(json!({"from": PERSON, "steps": steps}));
    let ((), (sid, result)) = tokio::join!(talk, call);
    assert!(result["failed"].is_null(), "{result}");
    assert!(result["timings"]["clear_ms"][0].as_u64().unwrap() < 500, "{result}");
    assert_eq!(world.notes(&sid).await, ["64107"]);
    let after = receiver.wait(2).await;
    assert_eq!((after[1].param("SessionStatus"), after[1].param("HandoffData")), ("ended", "{\"to\":\"desk\"}"));
}

#[tokio::test]
async fn ten_messages_that_are_none_end_the_session_and_the_call() {
    let world = World::start().await;
    let server = Server::start(world.emulator.account()).await;
    let twiml = format!("<Response><Connect><ConversationRelay url=\"{}\"/></Connect></Response>", server.url());
    let sid = world.dial(&[("Twiml", &twiml)]).await;
    let mut peer = server.accept().await;
    for _ in 0..10 {
        peer.send(json!({"type": "nonsense"})).await;
    }
    while peer.next().await.is_some() {}
    world.call_at(&sid, "failed").await;
    let notes = world.notes(&sid).await;
    assert_eq!((notes.len(), notes[0].as_str()), (11, "64105"));
}
