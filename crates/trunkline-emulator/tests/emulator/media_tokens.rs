//! The media service with an access token.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, World, answer, mint};

const TOKEN: &str = "X-Twilio-Token";

fn base(world: &World) -> String {
    format!("{}/mcs/v1/Services/{}", world.emulator.url(), world.emulator.account().chat_service_sid)
}

async fn upload(world: &World, content_type: &str, body: &'static str) -> Answer {
    let token = mint(world.emulator.account(), "alice", 60);
    let url = format!("{}/Media?Category=media&Filename=note.txt", base(world));
    answer(world.http.post(url).header(TOKEN, token).header("content-type", content_type).body(body)).await
}

async fn text(world: &World, url: &str) -> (StatusCode, String) {
    let response = world.http.get(url).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_without_credentials_for_a_while() {
    let world = World::start().await;
    let form = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--B--\r\n";
    for (content_type, body) in [("text/plain", "hello"), ("multipart/form-data; boundary=B", form)] {
        let media = upload(&world, content_type, body).await;
        assert_eq!(media.status, StatusCode::CREATED, "{}", media.body);
        assert_eq!(
            [&media.body["filename"], &media.body["content_type"], &media.body["size"], &media.body["author"]],
            [&json!("note.txt"), &json!("text/plain"), &json!(5), &json!("alice")]
        );
        let url = media.body["links"]["content_direct_temporary"].as_str().unwrap().to_owned();
        assert_eq!(text(&world, &url).await, (StatusCode::OK, "hello".to_owned()));
        let forged = url.replace("Expires=", "Expires=9");
        assert_eq!(text(&world, &forged).await.0, StatusCode::FORBIDDEN);
        let plain = media.body["links"]["content"].as_str().unwrap().to_owned();
        assert_eq!(text(&world, &plain).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(text(&world, &format!("{plain}?Expires=1&Signature=00")).await.0, StatusCode::FORBIDDEN);

        let token = mint(world.emulator.account(), "bob", 60);
        let sid = media.text("sid");
        let body = json!({"command": "get", "list": [{"media_sid": sid}, {"media_sid": "ME1"}]});
        let set = answer(world.http.post(format!("{}/MediaSet", base(&world))).header(TOKEN, token).json(&body)).await;
        let codes: Vec<&Value> = set.body.as_array().unwrap().iter().map(|one| &one["code"]).collect();
        assert_eq!((codes, &set.body[0]["media_record"]["sid"]), (vec![&json!(200), &json!(404)], &json!(sid)));
    }
}

#[tokio::test]
async fn a_page_may_ask_and_a_bad_token_may_not() {
    let world = World::start().await;
    let url = format!("{}/Media", base(&world));
    let asked = world.http.request(Method::OPTIONS, &url).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::NO_CONTENT);
    assert_eq!(asked.headers()["access-control-allow-origin"], "*");
    assert!(asked.headers()["access-control-allow-headers"].to_str().unwrap().contains("X-Twilio-Token"));
    let old = mint(world.emulator.account(), "alice", -1);
    assert_eq!(answer(world.http.post(&url).header(TOKEN, old).body("x")).await.problem(), (401, 20104));
    assert_eq!(answer(world.http.post(&url).body("x")).await.problem(), (401, 20101));
}
