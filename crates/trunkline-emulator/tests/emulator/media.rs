//! The media service, and files in messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PERSON, Receiver, World, answer};

#[tokio::test]
async fn a_file_goes_up_into_a_message_and_to_the_phone() {
    let world = World::start().await;
    let service = world.emulator.account().chat_service_sid;
    let path = format!("/v1/Services/{service}/Media?Filename=dot.png&Author=bot");
    let upload = world.request(Method::POST, &path).header("content-type", "image/png").body(vec![1_u8, 2, 3]);
    let media = answer(upload).await;
    assert_eq!(media.status, StatusCode::CREATED, "{}", media.body);
    let sid = media.text("sid");
    let url = format!("{}/v1/Services/{service}/Media/{sid}", world.emulator.url());
    let mut body = media.body.clone();
    for date in ["date_created", "date_updated"] {
        assert!(body.as_object_mut().unwrap().remove(date).unwrap().as_str().unwrap().ends_with('Z'));
    }
    let expect = json!({
        "sid": sid, "service_sid": service.as_str(), "size": 3, "content_type": "image/png", "filename": "dot.png",
        "author": "bot", "category": "media", "message_sid": null, "channel_sid": null, "url": url,
        "links": {"content_direct_temporary": format!("{url}/Content"), "content": format!("{url}/Content")},
        "is_multipart_upstream": false,
    });
    assert_eq!(body, expect);

    let conversation = world.conversation().await;
    world.bind(&conversation, PERSON).await;
    let message = world.post(&format!("{conversation}/Messages"), &[("MediaSid", &sid), ("Author", "bot")]).await;
    let files = json!([{"sid": sid, "filename": "dot.png", "content_type": "image/png", "size": 3}]);
    assert_eq!(message.body["media"], files);
    assert_eq!(world.phone(PERSON).await[0]["media"], files);
    assert_eq!(world.get(&url).await.body["message_sid"], message.body["sid"]);

    let content = world.request(Method::GET, &format!("{url}/Content")).send().await.unwrap();
    assert_eq!(content.headers()["content-type"], "image/png");
    assert_eq!(content.headers()["x-content-type-options"], "nosniff");
    assert_eq!(content.bytes().await.unwrap().as_ref(), [1, 2, 3]);
    assert_eq!(world.get(&format!("/v1/Services/{service}/Media/ME1")).await.problem(), (404, 20404));
}

#[tokio::test]
async fn a_person_sends_a_file() {
    let world = World::start().await;
    let receiver = Receiver::start(world.emulator.account()).await;
    world.tell(&receiver, &["onMessageAdded"]).await;
    let file = json!({"content_type": "text/plain", "filename": "a.txt", "data": STANDARD.encode("hello")});
    let sent = world.control(Method::POST, "/messages", json!({"from": PERSON, "media": [file]})).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
    assert!(sent.text("channel_message_sid").starts_with("MM"));
    let told = receiver.wait(1).await;
    let media: Value = serde_json::from_str(told[0].param("Media")).unwrap();
    assert_eq!((&media[0]["ContentType"], &media[0]["Size"]), (&json!("text/plain"), &json!(5)));
    let path = format!("/v1/Services/{}/Media", world.emulator.account().chat_service_sid);
    let content = format!("{path}/{}/Content", media[0]["Sid"].as_str().unwrap());
    let content = world.request(Method::GET, &content).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(content.as_ref(), b"hello");
}
