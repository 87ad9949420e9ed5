//! Calls with sound: documents, scripts, recordings, the browser line.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{DEADLINE, NUMBER, PERSON, Receiver, World, until, until_within};

impl World {
    /// What a document answers calls with.
    pub(crate) async fn answers_with(&self, receiver: &Receiver, document: &str) {
        receiver.xml("/voice", document);
        let url = receiver.url("/voice");
        let answer = self.control(Method::POST, "/numbers", json!({"voice_url": url})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }

    /// A scripted call, and what came of it.
    pub(crate) async fn script(&self, request: Value) -> (String, Value) {
        let answer = self.control(Method::POST, "/calls", request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let sid = answer.text("sid");
        // A whole call, with what is understood afterwards.
        let result = until_within(DEADLINE * 4, async || {
            let shown = self.control(Method::GET, &format!("/calls/{sid}"), Value::Null).await.body;
            (!shown["result"].is_null()).then(|| shown["result"].clone())
        })
        .await;
        (sid, result)
    }
}

#[tokio::test]
async fn a_scripted_caller_hears_what_the_document_says() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.answers_with(&receiver, "<Response><Say>yes please</Say></Response>").await;
    let steps = json!([
        {"wait_for_speech": {"timeout_ms": 8000, "expect": ["yes please", "cancel my appointment"]}},
        {"wait_for_hang_up": {"timeout_ms": 5000}},
    ]);
    let (sid, result) = world.script(json!({"from": PERSON, "steps": steps, "record": true})).await;
    assert!(result["failed"].is_null(), "{result}");
    let heard = &result["transcript"][0];
    assert_eq!(
        (&heard["who"], &heard["text"], &heard["matched"]),
        (&json!("agent"), &json!("yes please"), &json!(true))
    );
    assert_eq!(result["hung_up_by"], "document");
    assert!(result["timings"]["first_audio_ms"].as_u64().unwrap() < 1500, "{result}");
    let asked = receiver.wait(1).await;
    assert_eq!((asked[0].param("CallStatus"), asked[0].param("Direction")), ("ringing", "inbound"));
    assert_eq!((asked[0].param("From"), asked[0].param("To")), (PERSON, NUMBER));
    assert_eq!(asked[0].param("CallSid"), sid);
    // Both sides are in the recording, and it can be fetched.
    let url = result["recording_url"].as_str().unwrap();
    let sound = world.request(Method::GET, &format!("{url}.wav")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(&sound[..4], b"RIFF");
    assert_eq!(sound[22], 2);
    assert!(sound.len() > 32_000, "{}", sound.len());
    assert_eq!(world.get(&format!("{url}.mp3")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&format!("{url}.json")).await.text("status"), "completed");
}

#[tokio::test]
async fn keys_and_speech_are_gathered() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let document = "<Response><Gather numDigits=\"4\" action=\"/digits\"><Say>your number</Say></Gather></Response>";
    world.answers_with(&receiver, document).await;
    let second = "<Response><Gather input=\"speech\" hints=\"yes please, cancel my appointment\" action=\"/speech\"/>\
                  </Response>";
    receiver.xml("/digits", second);
    receiver.xml("/speech", "<Response/>");
    let steps = json!([{"pause_ms": 200}, {"digits": "12#"}, {"digits": "34"}, {"pause_ms": 600},
        {"say": "cancel my appointment"}, {"wait_for_hang_up": {"timeout_ms": 9000}}]);
    let (_, result) = world.script(json!({"from": PERSON, "steps": steps})).await;
    assert!(result["failed"].is_null(), "{result}");
    let asked = receiver.wait(3).await;
    // The key # ended it early.
    assert_eq!((asked[1].path.as_str(), asked[1].param("Digits")), ("/digits", "12"));
    assert_eq!((asked[2].path.as_str(), asked[2].param("SpeechResult")), ("/speech", "cancel my appointment"));
}

#[tokio::test]
async fn dial_joins_two_phones() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let friend = "+15550003003";
    let steps = json!([{"say": "yes please"}, {"pause_ms": 200}, {"hang_up": true}]);
    world.answering(friend, json!({"rule": "script", "steps": steps})).await;
    let document = format!("<Response><Dial action=\"/dialled\"><Number>{friend}</Number></Dial></Response>");
    world.answers_with(&receiver, &document).await;
    receiver.xml("/dialled", "<Response><Hangup/></Response>");
    let steps = json!([{"wait_for_speech": {"expect": ["yes please", "four two"]}}, {"wait_for_hang_up": {}}]);
    let (sid, result) = world.script(json!({"from": PERSON, "steps": steps})).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(result["transcript"][0]["text"], "yes please");
    let asked = receiver.wait(2).await;
    assert_eq!((asked[1].path.as_str(), asked[1].param("DialCallStatus")), ("/dialled", "completed"));
    let child = world.get(&world.voice(&format!("/Calls.json?ParentCallSid={sid}"))).await.body;
    assert_eq!((&child["calls"][0]["direction"], &child["calls"][0]["to"]), (&json!("outbound-dial"), &json!(friend)));
    assert_eq!(child["calls"][0]["sid"].as_str().unwrap(), asked[1].param("DialCallSid"));
}

#[tokio::test]
async fn a_message_is_recorded() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let document = "<Response><Record timeout=\"1\" playBeep=\"false\" action=\"/recorded\"/></Response>";
    world.answers_with(&receiver, document).await;
    receiver.xml("/recorded", "<Response/>");
    let steps = json!([{"pause_ms": 100}, {"say": "cancel my appointment"}, {"wait_for_hang_up": {}}]);
    world.script(json!({"from": PERSON, "steps": steps})).await;
    let asked = receiver.wait(2).await;
    assert_eq!(asked[1].path, "/recorded");
    assert!(["2", "3"].contains(&asked[1].param("RecordingDuration")), "{:?}", asked[1]);
    let list = world.get(&world.voice("/Recordings.json")).await.body;
    let recording = &list["recordings"][0];
    assert_eq!(recording["sid"].as_str().unwrap(), asked[1].param("RecordingSid"));
    assert_eq!((&recording["channels"], &recording["source"]), (&json!(1), &json!("RecordVerb")));
    let path = world.voice(&format!("/Recordings/{}.json", recording["sid"].as_str().unwrap()));
    assert_eq!(world.delete(&path).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_fails_is_noted_and_the_fallback_is_asked() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    receiver.answer("/broken", 500, "");
    receiver.xml("/fallback", "<Response><Pause length=\"1\" speed=\"2\"/></Response>");
    let (url, fallback) = (receiver.url("/broken"), receiver.url("/fallback"));
    let sid = world.dial(&[("Url", &url), ("FallbackUrl", &fallback)]).await;
    world.call_at(&sid, "completed").await;
    let asked = receiver.wait(2).await;
    assert_eq!((asked[1].param("ErrorCode"), asked[1].param("ErrorUrl")), ("11200", url.as_str()));
    assert_eq!(world.notes(&sid).await, ["12200", "11200"]);
    let sid = world.dial(&[("Twiml", "<Response><Nonsense/></Response>")]).await;
    world.call_at(&sid, "completed").await;
    assert_eq!(world.notes(&sid).await, ["12100"]);
}

#[tokio::test]
async fn it_is_found_out_whether_a_machine_answered() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    receiver.xml("/voice", "<Response/>");
    world.answering(PERSON, json!({"rule": "machine", "greeting": "please leave a message"})).await;
    let url = receiver.url("/voice");
    let sid = world.dial(&[("Url", &url), ("MachineDetection", "DetectMessageEnd")]).await;
    let call = world.call_at(&sid, "completed").await;
    assert_eq!(call["answered_by"], "machine_end_beep");
    assert_eq!(receiver.wait(1).await[0].param("AnsweredBy"), "machine_end_beep");
    let sid = world.dial(&[("Url", &url), ("MachineDetection", "Enable")]).await;
    assert_eq!(world.call_at(&sid, "completed").await["answered_by"], "machine_start");
}

#[tokio::test]
async fn what_is_said_is_transcribed_while_it_is_said() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let steps = json!([{"pause_ms": 500}, {"say": "cancel my appointment"}, {"wait_for_hang_up": {}}]);
    world.answering(PERSON, json!({"rule": "script", "steps": steps})).await;
    let sid = world.dial(&[("Twiml", "<Response><Pause length=\"30\"/></Response>")]).await;
    world.call_at(&sid, "in-progress").await;
    let path = world.voice(&format!("/Calls/{sid}/Transcriptions.json"));
    let url = receiver.url("/words");
    let fields =
        [("StatusCallbackUrl", url.as_str()), ("Hints", "yes please, cancel my appointment"), ("Name", "mine")];
    assert_eq!(world.post(&path, &fields).await.text("status"), "in-progress");
    let told = receiver.wait(2).await;
    assert_eq!(told[0].param("TranscriptionEvent"), "transcription-started");
    assert_eq!(told[1].param("TranscriptionEvent"), "transcription-content");
    assert_eq!(told[1].param("Track"), "inbound_track");
    let data: Value = serde_json::from_str(told[1].param("TranscriptionData")).unwrap();
    assert_eq!(data["transcript"], "cancel my appointment");
    let own = world.voice(&format!("/Calls/{sid}/Transcriptions/mine.json"));
    assert_eq!(world.post(&own, &[("Status", "stopped")]).await.text("status"), "stopped");
    assert_eq!(receiver.wait(3).await[2].param("TranscriptionEvent"), "transcription-stopped");
}

#[tokio::test]
async fn a_recording_is_begun_paused_and_ended_by_request() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let sid = world.dial(&[("Twiml", "<Response><Pause length=\"30\"/></Response>")]).await;
    world.call_at(&sid, "in-progress").await;
    let list = world.voice(&format!("/Calls/{sid}/Recordings.json"));
    let url = receiver.url("/recorded");
    let fields = [("RecordingStatusCallback", url.as_str()), ("RecordingChannels", "dual")];
    let recording = world.create(&list, &fields).await;
    let current = world.voice(&format!("/Calls/{sid}/Recordings/Twilio.CURRENT.json"));
    let paused = world.post(&current, &[("Status", "paused"), ("PauseBehavior", "skip")]).await;
    assert_eq!((paused.text("status"), paused.text("sid")), ("paused".to_owned(), recording.clone()));
    assert_eq!(world.post(&current, &[("Status", "in-progress")]).await.text("status"), "in-progress");
    // Another call takes its time meanwhile, so that there is something to record.
    world.script(json!({"from": "+15550002004", "steps": [{"pause_ms": 200}, {"hang_up": true}]})).await;
    assert_eq!(world.post(&current, &[("Status", "stopped")]).await.text("status"), "completed");
    let told = receiver.wait(1).await;
    assert_eq!((told[0].param("RecordingSid"), told[0].param("RecordingStatus")), (recording.as_str(), "completed"));
    assert_eq!((told[0].param("RecordingChannels"), told[0].param("RecordingSource")), ("2", "StartCallRecordingAPI"));
    assert_eq!(world.get(&list).await.body["recordings"][0]["sid"], recording);
}

#[tokio::test]
async fn the_one_who_is_called_is_briefed_and_may_be_taken_elsewhere() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let desk = "+15550003004";
    let steps = json!([{"wait_for_speech": {"expect": ["yes please", "what time do you open"]}},
        {"wait_for_speech": {"timeout_ms": 9000}}, {"wait_for_hang_up": {"timeout_ms": 9000}}]);
    world.answering(desk, json!({"rule": "script", "steps": steps})).await;
    let (briefing, status) = (receiver.url("/briefing"), receiver.url("/status"));
    let document = format!(
        "<Response><Dial record=\"record-from-answer-dual\"><Number url=\"{briefing}\" statusCallback=\"{status}\" \
         statusCallbackEvent=\"answered completed\">{desk}</Number></Dial><Say>good bye</Say></Response>"
    );
    world.answers_with(&receiver, &document).await;
    receiver.xml("/briefing", "<Response><Say>what time do you open</Say></Response>");
    receiver.xml("/elsewhere", "<Response><Pause length=\"1\"/><Say>four two seven</Say></Response>");
    let steps = json!([{"wait_for_hang_up": {"timeout_ms": 9000}}]);
    let caller = world.script(json!({"from": PERSON, "steps": steps}));
    let elsewhere = async {
        // Joined: then there is a recording.
        let list = until(async || {
            let list = world.get(&world.voice("/Recordings.json")).await.body;
            (list["recordings"][0]["source"] == "DialVerb").then_some(list)
        })
        .await;
        let parent = list["recordings"][0]["call_sid"].as_str().unwrap();
        let children = world.get(&world.voice(&format!("/Calls.json?ParentCallSid={parent}"))).await.body;
        let child = children["calls"][0]["sid"].as_str().unwrap().to_owned();
        let url = receiver.url("/elsewhere");
        let moved = world.post(&world.voice(&format!("/Calls/{child}.json")), &[("Url", &url)]).await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
        world.call_at(&child, "completed").await;
        until(async || {
            let shown = world.control(Method::GET, &format!("/calls/{child}"), Value::Null).await.body;
            (!shown["result"].is_null()).then(|| shown["result"].clone())
        })
        .await
    };
    let ((_, caller), desk) = tokio::join!(caller, elsewhere);
    assert!(caller["failed"].is_null(), "{caller}");
    // The document of the caller went on.
    assert_eq!(caller["transcript"].as_array().unwrap().len(), 1, "{caller}");
    assert!(desk["failed"].is_null(), "{desk}");
    assert_eq!(desk["transcript"][0]["text"], "what time do you open");
    let told = receiver.received();
    let events: Vec<_> = told.iter().filter(|one| one.path == "/status").map(|one| one.param("CallStatus")).collect();
    assert_eq!(events, ["in-progress", "completed"]);
}

#[tokio::test]
async fn words_are_told_of_while_they_are_spoken() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let document =
        "<Response><Gather input=\"speech\" action=\"/speech\" partialResultCallback=\"/partial\"/></Response>";
    world.answers_with(&receiver, document).await;
    receiver.xml("/partial", "");
    receiver.xml("/speech", "<Response/>");
    let steps = json!([{"pause_ms": 300}, {"say": "please cancel my appointment on monday morning"},
        {"wait_for_hang_up": {"timeout_ms": 9000}}]);
    let (_, result) = world.script(json!({"from": PERSON, "steps": steps})).await;
    assert!(result["failed"].is_null(), "{result}");
    let asked = receiver.wait(4).await;
    let partial: Vec<_> = asked.iter().filter(|one| one.path == "/partial").collect();
    let (first, last) = (partial[0], partial[partial.len() - 1]);
    assert!(first.param("UnstableSpeechResult").starts_with("please"), "{:?}", first.param("UnstableSpeechResult"));
    assert_eq!((first.param("SequenceNumber"), first.param("StableSpeechResult")), ("0", ""));
    assert_eq!(last.param("StableSpeechResult"), "please cancel my appointment on monday morning");
    assert_eq!(last.param("SequenceNumber"), (partial.len() - 1).to_string());
}

#[tokio::test]
async fn a_call_ends_when_a_request_has_shortened_its_time() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.answers_with(&receiver, "<Response><Pause length=\"60\"/></Response>").await;
    let steps = json!([{"wait_for_hang_up": {"timeout_ms": 20_000}}]);
    let placed = world.control(Method::POST, "/calls", json!({"from": PERSON, "steps": steps})).await;
    let sid = placed.text("sid");
    let path = format!("/2010-04-01/Accounts/{}/Calls/{sid}.json", world.emulator.account().account_sid);
    until(async || (world.get(&path).await.text("status") == "in-progress").then_some(())).await;
    let refused = world.post(&path, &[("TimeLimit", "100000")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let told = world.post(&path, &[("TimeLimit", "1")]).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    until(async || (world.get(&path).await.text("status") == "completed").then_some(())).await;
    let shown = world.control(Method::GET, &format!("/calls/{sid}"), Value::Null).await.body;
    assert_eq!(shown["result"]["hung_up_by"], "network", "{shown}");
}

#[tokio::test]
async fn what_is_not_there_is_said_clearly() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    receiver.xml("/dialled", "<Response/>");
    for (inside, expected) in [
        ("<Dial action=\"/dialled\"><Conference>room</Conference></Dial>", "a <Conference>"),
        ("<Dial action=\"/dialled\"><Client>ada</Client></Dial>", "a <Client>"),
        ("<Dial action=\"/dialled\"><Sip>sip:ada@example.com</Sip></Dial>", "<Sip>"),
        ("<Dial action=\"/dialled\"><Queue>support</Queue></Dial>", "a <Queue>"),
        ("<Enqueue>support</Enqueue>", "<Enqueue> is Twilio's"),
    ] {
        world.answers_with(&receiver, &format!("<Response>{inside}</Response>")).await;
        let (sid, _) =
            world.script(json!({"from": PERSON, "steps": [{"wait_for_hang_up": {"timeout_ms": 15_000}}]})).await;
        let path =
            format!("/2010-04-01/Accounts/{}/Calls/{sid}/Notifications.json", world.emulator.account().account_sid);
        let notes = world.get(&path).await.body;
        assert!(notes.to_string().contains(expected), "{inside}: {notes}");
    }
}
