//! Calls over REST: their way, their answers, their errors.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NUMBER, PERSON, Receiver, World, settings, until};

impl World {
    /// A path of the voice API.
    pub(crate) fn voice(&self, path: &str) -> String {
        format!("/2010-04-01/Accounts/{}{path}", self.emulator.account().account_sid)
    }

    /// The SID of a call that the account makes.
    pub(crate) async fn dial(&self, fields: &[(&str, &str)]) -> String {
        let mut form = vec![("To", PERSON), ("From", NUMBER)];
        form.extend(fields);
        self.create(&self.voice("/Calls.json"), &form).await
    }

    /// The call once it has a status.
    pub(crate) async fn call_at(&self, sid: &str, status: &str) -> Value {
        until(async || {
            let call = self.get(&self.voice(&format!("/Calls/{sid}.json"))).await.body;
            (call["status"] == status).then_some(call)
        })
        .await
    }

    pub(crate) async fn answering(&self, number: &str, rule: Value) {
        let path = format!("/phones/{}/answering", number.replace('+', "%2B"));
        let answer = self.control(Method::PUT, &path, rule).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    /// Codes of what was noted about a call.
    pub(crate) async fn notes(&self, sid: &str) -> Vec<String> {
        let body = self.get(&self.voice(&format!("/Calls/{sid}/Notifications.json"))).await.body;
        let notes = body["notifications"].as_array().unwrap();
        notes.iter().map(|note| note["error_code"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_call_goes_its_way_and_tells_of_it() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let url = receiver.url("/status");
    let events = ["initiated", "ringing", "answered", "completed"].map(|event| ("StatusCallbackEvent", event));
    let mut fields = vec![("Twiml", "<Response><Pause length=\"1\"/></Response>"), ("StatusCallback", url.as_str())];
    fields.extend(events);
    let sid = world.dial(&fields).await;
    let call = world.call_at(&sid, "completed").await;
    assert_eq!(call["direction"], "outbound-api");
    assert_eq!((&call["to"], &call["from"]), (&json!(PERSON), &json!(NUMBER)));
    assert_eq!(call["from_formatted"], "(555) 765-4321");
    assert!(["1", "2"].contains(&call["duration"].as_str().unwrap()), "{call}");
    assert!(call["start_time"].as_str().unwrap().ends_with(" +0000"));
    assert_eq!(call.as_object().unwrap().len(), 26);
    let told = receiver.wait(4).await;
    let statuses: Vec<_> = told.iter().map(|one| one.param("CallStatus")).collect();
    assert_eq!(statuses, ["initiated", "ringing", "in-progress", "completed"]);
    let numbers: Vec<_> = told.iter().map(|one| one.param("SequenceNumber")).collect();
    assert_eq!(numbers, ["0", "1", "2", "3"]);
    assert_eq!(told[3].param("CallDuration"), call["duration"]);
    assert_eq!((told[3].param("Duration"), told[3].param("CallbackSource")), ("1", "call-progress-events"));
    assert_eq!(told[0].param("CallSid"), sid);
}

#[tokio::test]
async fn phones_answer_by_their_rules() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let status = receiver.url("/status");
    let busy = "+15550002001";
    world.answering(busy, json!({"rule": "busy"})).await;
    let fields = [("To", busy), ("From", NUMBER), ("Twiml", "<Response/>"), ("StatusCallback", status.as_str())];
    let sid = world.create(&world.voice("/Calls.json"), &fields).await;
    let call = world.call_at(&sid, "busy").await;
    assert_eq!(call["duration"], "0");
    let told = receiver.wait(1).await;
    assert_eq!((told[0].param("CallStatus"), told[0].param("SipResponseCode")), ("busy", "486"));

    let silent = "+15550002002";
    world.answering(silent, json!({"rule": "no_answer"})).await;
    let fields = [("To", silent), ("From", NUMBER), ("Twiml", "<Response/>"), ("Timeout", "1")];
    let sid = world.create(&world.voice("/Calls.json"), &fields).await;
    world.call_at(&sid, "no-answer").await;

    let fields = [("To", silent), ("From", NUMBER), ("Twiml", "<Response/>")];
    let sid = world.create(&world.voice("/Calls.json"), &fields).await;
    let path = world.voice(&format!("/Calls/{sid}.json"));
    assert_eq!(world.post(&path, &[("Status", "canceled")]).await.text("status"), "canceled");
    assert_eq!(world.post(&path, &[("Status", "completed")]).await.problem(), (400, 21220));
}

#[tokio::test]
async fn a_request_takes_a_call_elsewhere_or_ends_it() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    receiver.xml("/next", "<Response><Pause length=\"60\"/></Response>");
    let sid = world.dial(&[("Twiml", "<Response><Pause length=\"60\"/></Response>")]).await;
    world.call_at(&sid, "in-progress").await;
    let path = world.voice(&format!("/Calls/{sid}.json"));
    let next = receiver.url("/next");
    assert_eq!(world.post(&path, &[("Url", &next)]).await.status, StatusCode::OK);
    let asked = receiver.wait(1).await;
    assert_eq!((asked[0].path.as_str(), asked[0].param("CallStatus")), ("/next", "in-progress"));
    assert_eq!(world.delete(&path).await, StatusCode::CONFLICT);
    assert_eq!(world.post(&path, &[("Status", "completed")]).await.text("status"), "completed");
    assert_eq!(world.delete(&path).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&path).await.problem(), (404, 20404));
}

#[tokio::test]
async fn calls_are_listed_in_pages_with_relative_uris() {
    let world = World::start().await;
    let mut sids = Vec::new();
    for _ in 0..3 {
        let sid = world.dial(&[("Twiml", "<Response/>")]).await;
        world.call_at(&sid, "completed").await;
        sids.insert(0, sid);
    }
    let first = world.get(&world.voice("/Calls.json?PageSize=2&Status=completed")).await.body;
    let page = |body: &Value| -> Vec<String> {
        body["calls"].as_array().unwrap().iter().map(|call| call["sid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(page(&first), sids[..2]);
    assert_eq!((&first["start"], &first["end"], &first["page_size"]), (&json!(0), &json!(1), &json!(2)));
    let next = first["next_page_uri"].as_str().unwrap();
    assert!(next.starts_with("/2010-04-01/"), "{next}");
    let second = world.get(next).await.body;
    assert_eq!(page(&second), sids[2..]);
    assert!(second["next_page_uri"].is_null());
    let none = world.get(&world.voice("/Calls.json?To=%2B15559999999")).await.body;
    assert_eq!(none["calls"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let world = World::start().await;
    let path = world.voice("/Calls.json");
    let check = async |fields: &[(&str, &str)], expect: (u16, u64)| {
        assert_eq!(world.post(&path, fields).await.problem(), expect, "{fields:?}");
    };
    let twiml = ("Twiml", "<Response/>");
    check(&[("From", NUMBER), twiml], (400, 21201)).await;
    check(&[("To", PERSON), twiml], (400, 21603)).await;
    check(&[("To", "555"), ("From", NUMBER), twiml], (400, 21211)).await;
    check(&[("To", PERSON), ("From", "+15559998888"), twiml], (400, 21210)).await;
    check(&[("To", PERSON), ("From", NUMBER)], (400, 21218)).await;
    check(&[("To", PERSON), ("From", NUMBER), ("Url", "nowhere")], (400, 21205)).await;
    check(&[("To", PERSON), ("From", NUMBER), ("Twiml", &"x".repeat(4001))], (400, 21240)).await;
    check(&[("To", PERSON), ("From", NUMBER), twiml, ("StatusCallbackEvent", "sometimes")], (400, 20001)).await;
    let other = "/2010-04-01/Accounts/AC00000000000000000000000000000000/Calls.json";
    assert_eq!(world.get(other).await.problem(), (404, 20404));
    let anonymous = world.http.get(world.url(&path)).send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    let listed = world.get(&path).await;
    assert_eq!(listed.body["calls"], json!([]));
    world
        .fault(json!({"match": {"path": "/2010-04-01"}, "count": 1, "fault": {"kind": "status", "status": 503}}))
        .await;
    assert_eq!(world.get(&path).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let named = world.request(Method::GET, &path).send().await.unwrap();
    assert!(named.headers()["twilio-request-id"].to_str().unwrap().starts_with("RQ"));
    let wrong = world.control(Method::POST, "/calls", json!({"from": PERSON, "steps": [{"digits": "x"}]})).await;
    assert!(wrong.text("message").contains("step 1: digits"), "{}", wrong.body);
}

#[tokio::test]
async fn numbers_are_listed_and_changed() {
    let world = World::start().await;
    let list = world.get(&world.voice("/IncomingPhoneNumbers.json")).await.body;
    let number = &list["incoming_phone_numbers"][0];
    assert_eq!((&number["phone_number"], &number["voice_url"]), (&json!(NUMBER), &json!("")));
    let path = world.voice(&format!("/IncomingPhoneNumbers/{}.json", number["sid"].as_str().unwrap()));
    let changed = world.post(&path, &[("VoiceUrl", "http://127.0.0.1:9/voice"), ("VoiceMethod", "GET")]).await.body;
    assert_eq!((&changed["voice_url"], &changed["voice_method"]), (&json!("http://127.0.0.1:9/voice"), &json!("GET")));
    let more = world.control(Method::POST, "/numbers", json!({"number": "+15557770000"})).await;
    assert_eq!(more.status, StatusCode::CREATED);
    let list = world.get(&world.voice("/IncomingPhoneNumbers.json")).await.body;
    assert_eq!(list["incoming_phone_numbers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_reset_ends_calls_and_keeps_what_answers_the_own_number() {
    let world = World::of(settings().voice("http://127.0.0.1:9/voice", None)).await;
    let sid = world.dial(&[("Twiml", "<Response><Pause length=\"60\"/></Response>")]).await;
    world.call_at(&sid, "in-progress").await;
    world.control(Method::POST, "/numbers", json!({"voice_url": "http://127.0.0.1:9/other"})).await;
    assert_eq!(world.control(Method::POST, "/reset", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&world.voice("/Calls.json")).await.body["calls"], json!([]));
    until(async || {
        let live = world.control(Method::GET, "/calls", Value::Null).await.body;
        (live == json!({"live": []})).then_some(())
    })
    .await;
    let numbers = world.get(&world.voice("/IncomingPhoneNumbers.json")).await.body;
    assert_eq!(numbers["incoming_phone_numbers"][0]["voice_url"], "http://127.0.0.1:9/voice");
}
