//! Programmable Messaging: messages out with their callbacks, messages in with the documents that answer them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, NUMBER, PERSON, Receiver, World, answer, settings, until};

fn messages(world: &World) -> String {
    format!("/2010-04-01/Accounts/{}/Messages", world.emulator.account().account_sid)
}

async fn send(world: &World, form: &[(&str, &str)]) -> Answer {
    let mut all = vec![("To", PERSON), ("From", NUMBER)];
    all.extend_from_slice(form);
    world.post(&format!("{}.json", messages(world)), &all).await
}

async fn settled(world: &World, sid: &str, status: &str) -> Value {
    let path = format!("{}/{sid}.json", messages(world));
    until(async || Some(world.get(&path).await.body).filter(|body| body["status"] == status)).await
}

/// Messages to another number of the account's, which makes no conversations, go to a receiver.
async fn other_number(world: &World, receiver: &Receiver) -> String {
    let number = "+15557650000".to_owned();
    let url = receiver.url("/sms");
    world.control(Method::POST, "/numbers", json!({"number": number, "sms_url": url})).await;
    number
}

async fn text_to(world: &World, to: &str, body: &str) -> Answer {
    world.control(Method::POST, "/messages", json!({"from": PERSON, "to": to, "body": body})).await
}

#[tokio::test]
async fn a_message_goes_out_and_tells_of_its_way() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let url = receiver.url("/status");
    let sent = send(&world, &[("Body", "hello"), ("StatusCallback", &url)]).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
    let seen = ["status", "direction", "num_segments", "num_media"].map(|key| sent.text(key));
    assert_eq!(seen, ["queued", "outbound-api", "1", "0"]);
    assert_eq!((&sent.body["date_sent"], &sent.body["error_code"]), (&json!(null), &json!(null)));
    let told = receiver.wait(2).await;
    let statuses: Vec<_> = told.iter().map(|one| one.param("MessageStatus").to_owned()).collect();
    assert_eq!(statuses, ["sent", "delivered"]);
    assert_eq!(told[0].param("MessageSid"), sent.text("sid"));
    assert_eq!(settled(&world, &sent.text("sid"), "delivered").await["body"], "hello");
    assert_eq!(world.phone(PERSON).await[0]["body"], "hello");
}

#[tokio::test]
async fn a_messaging_service_accepts_first() {
    let world = World::start().await;
    let service = world.control(Method::GET, "/account", Value::Null).await.text("messaging_service_sid");
    let form = [("To", PERSON), ("MessagingServiceSid", service.as_str()), ("Body", "hello")];
    let sent = world.post(&format!("{}.json", messages(&world)), &form).await;
    assert_eq!((sent.text("status"), sent.text("from")), ("accepted".to_owned(), NUMBER.to_owned()));
    assert_eq!(settled(&world, &sent.text("sid"), "delivered").await["messaging_service_sid"], service);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_twilios_codes() {
    let world = World::start().await;
    let path = format!("{}.json", messages(&world));
    let check = async |form: &[(&str, &str)], code: u64| {
        let refused = world.post(&path, form).await;
        assert_eq!(refused.problem(), (400, code), "{form:?}");
    };
    check(&[("From", NUMBER), ("Body", "x")], 21604).await;
    check(&[("To", "nobody"), ("From", NUMBER), ("Body", "x")], 21211).await;
    check(&[("To", PERSON), ("Body", "x")], 21603).await;
    check(&[("To", PERSON), ("From", "me"), ("Body", "x")], 21212).await;
    check(&[("To", PERSON), ("From", "+15559999999"), ("Body", "x")], 21606).await;
    check(&[("To", NUMBER), ("From", NUMBER), ("Body", "x")], 21266).await;
    check(&[("To", PERSON), ("From", &format!("whatsapp:{NUMBER}")), ("Body", "x")], 21910).await;
    let stranger = [("To", "whatsapp:+15550001111"), ("From", "whatsapp:+15559999999"), ("Body", "x")];
    check(&stranger, 63007).await;
    check(&[("To", PERSON), ("MessagingServiceSid", "MG1"), ("Body", "x")], 21701).await;
    let both = [("To", PERSON), ("From", NUMBER)];
    check(&both, 21602).await;
    check(&[&both[..], &[("Body", "ü".repeat(1601).as_str())]].concat(), 21617).await;
    check(&[&both[..], &[("Body", "x"), ("MediaUrl", "nowhere")]].concat(), 21620).await;
    check(&[&both[..], &vec![("MediaUrl", "http://127.0.0.1:9/"); 11]].concat(), 21623).await;
    check(&[&both[..], &[("Body", "x"), ("StatusCallback", "nowhere")]].concat(), 21609).await;
    check(&[&both[..], &[("ContentSid", "HX1")]].concat(), 21655).await;
    check(&[&both[..], &[("Body", "x"), ("ScheduleType", "fixed")]].concat(), 35114).await;
    check(&[&both[..], &[("Body", "x"), ("ValidityPeriod", "36001")]].concat(), 20001).await;
}

#[tokio::test]
async fn messages_are_listed_redacted_and_deleted() {
    let world = World::start().await;
    let mut sids = Vec::new();
    for body in ["one", "two", "three"] {
        sids.push(send(&world, &[("Body", body)]).await.text("sid"));
    }
    for sid in &sids {
        settled(&world, sid, "delivered").await;
    }
    let base = messages(&world);
    let bodies = |page: &Value| -> Vec<String> {
        page["messages"].as_array().unwrap().iter().map(|one| one["body"].as_str().unwrap().to_owned()).collect()
    };
    let page = world.get(&format!("{base}.json?PageSize=2&To={}", PERSON.replace('+', "%2B"))).await.body;
    assert_eq!(bodies(&page), ["three", "two"]);
    let next = page["next_page_uri"].as_str().unwrap();
    assert!(next.starts_with("/2010-04-01/"), "{next}");
    assert_eq!(bodies(&world.get(next).await.body), ["one"]);
    assert_eq!(bodies(&world.get(&format!("{base}.json?DateSent%3C=2020-01-01")).await.body), [""; 0]);
    assert_eq!(bodies(&world.get(&format!("{base}.json?DateSent%3E=2020-01-01")).await.body).len(), 3);
    assert_eq!(bodies(&world.get(&format!("{base}.json?From=%2B15550009999")).await.body).len(), 0);

    let one = format!("{base}/{}.json", sids[0]);
    assert_eq!(world.post(&one, &[("Body", "other")]).await.problem(), (400, 20001));
    assert_eq!(world.post(&one, &[("Body", "")]).await.text("body"), "");
    assert_eq!(world.delete(&one).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&one).await.problem(), (404, 20404));
}

#[tokio::test]
async fn files_are_fetched_shown_and_deleted() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    receiver.xml("/picture", "<svg/>");
    let url = receiver.url("/picture");
    let sent = send(&world, &[("MediaUrl", &url)]).await;
    let sid = sent.text("sid");
    assert!(sid.starts_with("MM"), "{sid}");
    let list = world.get(&format!("{}/{sid}/Media.json", messages(&world))).await.body;
    let media = list["media_list"][0].clone();
    assert_eq!((media["content_type"].as_str(), media["parent_sid"].as_str()), (Some("text/xml"), Some(sid.as_str())));
    let uri = media["uri"].as_str().unwrap();
    assert_eq!(world.get(uri).await.body["sid"], media["sid"]);
    let bytes = world.request(Method::GET, uri.trim_end_matches(".json")).send().await.unwrap();
    assert_eq!(bytes.text().await.unwrap(), "<svg/>");
    assert_eq!(world.delete(uri).await, StatusCode::NO_CONTENT);
    assert_eq!(answer(world.request(Method::GET, uri)).await.problem(), (404, 20404));

    receiver.answer("/missing", 404, "");
    let missing = receiver.url("/missing");
    let sid = send(&world, &[("MediaUrl", &missing)]).await.text("sid");
    assert_eq!(settled(&world, &sid, "failed").await["error_code"], 11200);
}

#[tokio::test]
async fn a_numbers_document_answers_a_message() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let number = other_number(&world, &receiver).await;
    let document = "<Response><Message>first</Message><Redirect>/more</Redirect><Message>never</Message></Response>";
    receiver.xml("/sms", document);
    receiver.xml("/more", "<Response><Message><Body>second</Body></Message></Response>");
    let texted = text_to(&world, &number, "hello").await;
    assert_eq!(texted.status, StatusCode::CREATED, "{}", texted.body);
    assert_eq!(texted.body.get("conversation_sid"), None);
    let asked = receiver.wait(2).await;
    let seen = ["From", "To", "Body", "NumMedia", "SmsStatus"].map(|name| asked[0].param(name).to_owned());
    assert_eq!(seen, [PERSON, &number, "hello", "0", "received"]);
    assert_eq!(asked[0].param("MessageSid"), texted.text("message_sid"));
    let lines = until(async || Some(world.phone(PERSON).await).filter(|lines| lines.len() == 3)).await;
    assert_eq!([&lines[1]["body"], &lines[2]["body"]], ["first", "second"]);
    let list = world.get(&format!("{}.json", messages(&world))).await.body;
    let directions: Vec<_> = list["messages"].as_array().unwrap().iter().map(|one| one["direction"].clone()).collect();
    assert_eq!(directions, ["outbound-reply", "outbound-reply", "inbound"]);
}

#[tokio::test]
async fn a_document_that_fails_is_asked_for_elsewhere() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let number = other_number(&world, &receiver).await;
    receiver.xml("/sms", "<Response><Message>");
    receiver.answer("/spare", 200, "plain words");
    let (url, spare) = (receiver.url("/sms"), receiver.url("/spare"));
    let body = json!({"number": number, "sms_url": url, "sms_fallback_url": spare});
    world.control(Method::POST, "/numbers", body).await;
    text_to(&world, &number, "hello").await;
    let asked = receiver.wait(2).await;
    assert_eq!((asked[1].param("ErrorCode"), asked[1].param("ErrorUrl")), ("12100", url.as_str()));
    let lines = until(async || Some(world.phone(PERSON).await).filter(|lines| lines.len() == 2)).await;
    assert_eq!(lines[1]["body"], "plain words");
}

#[tokio::test]
async fn a_conversation_and_the_numbers_webhook_both_hear_of_a_message() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let url = receiver.url("/sms");
    world.control(Method::POST, "/numbers", json!({"sms_url": url})).await;
    let texted = world.text(PERSON, "hello").await;
    assert_eq!(receiver.wait(1).await[0].param("Body"), "hello");
    assert_eq!(
        world.get(&format!("/v1/Conversations/{}", texted.text("conversation_sid"))).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn who_says_stop_gets_nothing_until_they_say_start() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    let number = other_number(&world, &receiver).await;
    let send = async || {
        let form = [("To", PERSON), ("From", number.as_str()), ("Body", "news")];
        world.post(&format!("{}.json", messages(&world)), &form).await
    };
    let lines =
        async |count: usize| until(async || Some(world.phone(PERSON).await).filter(|lines| lines.len() == count)).await;
    text_to(&world, &number, " Stop ").await;
    assert!(lines(2).await[1]["body"].as_str().unwrap().contains("unsubscribed"));
    assert_eq!(send().await.problem(), (400, 21610));
    // Another number may still write, and the webhook hears of keywords as of everything.
    let form = [("To", PERSON), ("From", NUMBER), ("Body", "other")];
    assert_eq!(world.post(&format!("{}.json", messages(&world)), &form).await.status, StatusCode::CREATED);
    assert_eq!(receiver.wait(1).await[0].param("Body"), " Stop ");
    lines(3).await;
    text_to(&world, &number, "START").await;
    lines(5).await;
    assert_eq!(send().await.status, StatusCode::CREATED);
    lines(6).await;
    text_to(&world, &number, "help").await;
    assert!(lines(8).await[7]["body"].as_str().unwrap().contains("Reply STOP"));
}

#[tokio::test]
async fn numbers_are_bought_changed_and_given_back() {
    let world = World::start().await;
    let numbers = format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers", world.emulator.account().account_sid);
    let form = [("PhoneNumber", "+15557651111"), ("SmsUrl", "http://127.0.0.1:9/sms")];
    let bought = world.post(&format!("{numbers}.json"), &form).await;
    assert_eq!((bought.status, bought.text("sms_url")), (StatusCode::CREATED, "http://127.0.0.1:9/sms".to_owned()));
    assert_eq!(world.post(&format!("{numbers}.json"), &form).await.problem(), (400, 21422));
    assert_eq!(world.post(&format!("{numbers}.json"), &[("PhoneNumber", "1")]).await.problem(), (400, 21421));
    let area = world.post(&format!("{numbers}.json"), &[("AreaCode", "212")]).await;
    assert!(area.text("phone_number").starts_with("+1212"), "{}", area.body);
    let one = format!("{numbers}/{}.json", bought.text("sid"));
    assert_eq!(world.delete(&one).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&one).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn messages_rules_and_who_said_stop_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emulator.db");
    let world = World::of(settings().data_file(&file)).await;
    let service = world.control(Method::GET, "/account", Value::Null).await.text("messaging_service_sid");
    let now: jiff::Timestamp = world.control(Method::GET, "/clock", Value::Null).await.text("now").parse().unwrap();
    let at = (now + jiff::SignedDuration::from_mins(10)).to_string();
    let later = [
        ("To", PERSON),
        ("MessagingServiceSid", service.as_str()),
        ("Body", "later"),
        ("ScheduleType", "fixed"),
        ("SendAt", at.as_str()),
    ];
    let scheduled = world.post(&format!("{}.json", messages(&world)), &later).await.text("sid");
    world.control(Method::PUT, "/rules", json!({"whatsapp_window": false})).await;
    world.control(Method::PUT, "/phones/%2B15550002222/receiving", json!({"rule": "hold"})).await;
    text_to(&world, NUMBER, "STOP").await;
    let stopped = until(async || Some(world.phone(PERSON).await).filter(|lines| lines.len() == 2)).await;
    world.emulator.shutdown().await;

    let world = World::of(settings().data_file(&file)).await;
    let again = world.phone(PERSON).await;
    assert_eq!(again[0], stopped[0]);
    assert_eq!(send(&world, &[("Body", "x")]).await.problem(), (400, 21610));
    assert_eq!(world.control(Method::GET, "/rules", Value::Null).await.body["whatsapp_window"], false);
    let held = world.control(Method::GET, "/phones/%2B15550002222/receiving", Value::Null).await;
    assert_eq!(held.body, json!({"rule": "hold"}));
    text_to(&world, NUMBER, "START").await;
    world.control(Method::POST, "/clock", json!({"advance_ms": 11 * 60 * 1000})).await;
    assert_eq!(settled(&world, &scheduled, "delivered").await["body"], "later");
}
