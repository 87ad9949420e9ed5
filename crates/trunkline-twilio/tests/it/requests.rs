//! What a request looks like and how its answer is read.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use trunkline_core::Retry;
use trunkline_twilio::rest::{
    Credentials, NewConversation, NewMessage, NewParticipant, RestClient, RestConfig, RestError, WebhookUpdate,
};

use crate::support::{AC, CH, FakeTwilio, IS, MB, Reply, TOKEN, client, conversation, hang_up_after, message};
use crate::support::{participant, refusal, rest_config};

const ME: &str = "ME00000000000000000000000000000001";
const OTHER: &str = "ME00000000000000000000000000000002";

fn text(body: &str) -> NewMessage {
    NewMessage { body: Some(body.to_owned()), ..NewMessage::default() }
}

#[tokio::test]
async fn either_kind_of_credentials_is_sent_as_basic_authentication() {
    let twilio = FakeTwilio::start(|_, _| Reply::Json(200, conversation("active"))).await;
    client(&twilio.url()).fetch_conversation(CH).await.unwrap();
    let credentials = Credentials::api_key("SK00000000000000000000000000000001".parse().unwrap(), "key-secret".into());
    let config = RestConfig { credentials, ..rest_config(&twilio.url()) };
    RestClient::new(config).unwrap().fetch_conversation(CH).await.unwrap();

    let seen = twilio.seen();
    // Base64 of AC…:token and SK…:key-secret.
    let token = "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMToyYjFjMGQ5ZThmN2E2YjVjNGQzZTJmMWEwYjljOGQ3ZQ==";
    let key = "Basic U0swMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTprZXktc2VjcmV0";
    assert_eq!(seen[0].header("authorization"), token);
    assert_eq!(seen[1].header("authorization"), key);
    assert!(seen[0].header("user-agent").starts_with("trunkline/"));
}

#[tokio::test]
async fn paths_follow_the_service_and_parameters_have_twilios_names() {
    let twilio = FakeTwilio::start(|seen, _| match seen.path.rsplit('/').next() {
        Some("Messages") => Reply::Json(201, message(0)),
        Some("Participants") => Reply::Json(201, participant(Some("bot"), &json!(null))),
        Some("Webhooks") => Reply::Json(200, json!({"account_sid": AC, "filters": null})),
        Some(sid) if seen.method == "DELETE" && sid == MB => Reply::Text(204, ""),
        _ => Reply::Json(201, conversation("active")),
    })
    .await;
    let config = RestConfig { service_sid: Some(IS.parse().unwrap()), ..rest_config(&twilio.url()) };
    let client = RestClient::new(config).unwrap();

    let new = NewConversation { friendly_name: Some("A & B".to_owned()), ..NewConversation::default() };
    client.create_conversation(&new).await.unwrap();
    let attributes = Some(r#"{"a":1}"#.to_owned());
    let new = NewMessage { author: Some("bot".to_owned()), attributes, ..text("Grüezi 👋") };
    client.create_message(CH, &new).await.unwrap();
    let new = NewParticipant { address: Some("+15005550006".to_owned()), ..NewParticipant::default() };
    client.add_participant(CH, &new).await.unwrap();
    client.remove_participant(CH, MB).await.unwrap();
    let filters = vec!["onMessageAdded".to_owned(), "onConversationAdded".to_owned()];
    let update =
        WebhookUpdate { post_webhook_url: Some("https://h/x?a=b".to_owned()), filters, ..WebhookUpdate::default() };
    client.update_webhooks(&update).await.unwrap();

    let seen = twilio.seen();
    let at = |rest: &str| format!("/v1/Services/{IS}/{rest}");
    assert_eq!(seen[0].line(), format!("POST {}", at("Conversations")));
    assert_eq!(seen[0].form("FriendlyName"), ["A & B"]);
    assert!(seen[0].form("UniqueName").is_empty());
    assert_eq!(seen[1].path, at(&format!("Conversations/{CH}/Messages")));
    assert_eq!((seen[1].form("Author"), seen[1].form("Body")), (vec!["bot".to_owned()], vec!["Grüezi 👋".to_owned()]));
    assert_eq!(seen[1].form("Attributes"), [r#"{"a":1}"#]);
    assert_eq!(seen[2].form("MessagingBinding.Address"), ["+15005550006"]);
    assert_eq!(seen[3].line(), format!("DELETE {}", at(&format!("Conversations/{CH}/Participants/{MB}"))));
    assert_eq!(seen[4].path, at("Configuration/Webhooks"));
    assert_eq!(seen[4].form("Filters"), ["onMessageAdded", "onConversationAdded"]);
    assert!(seen[4].form("Target").is_empty());
}

#[tokio::test]
async fn a_refusal_gives_twilios_code_in_either_shape_or_the_status_without_one() {
    let problem = json!({"type": "t", "title": "x", "status": 400, "code": 20001, "detail": "secret words"});
    let twilio = FakeTwilio::start(move |_, number| match number {
        0 => refusal(404, 20404),
        1 => Reply::Json(400, problem.clone()),
        2 => Reply::Text(418, "<html>secret words</html>"),
        3 => refusal(401, 20003),
        4 => refusal(400, 50063),
        _ => Reply::Redirect("http://127.0.0.1:1/elsewhere".to_owned()),
    })
    .await;
    let client = client(&twilio.url()).without_retries();
    for (expect, code) in [
        ("refused with status 404, code 20404", "twilio.rest.refused"),
        ("refused with status 400, code 20001", "twilio.rest.refused"),
        ("refused with status 418, code 418", "twilio.rest.refused"),
        ("not authorised, status 401, code 20003", "twilio.rest.auth"),
        ("throttled, code 50063", "twilio.rest.throttled"),
        ("refused with status 307, code 307", "twilio.rest.refused"),
    ] {
        let error = client.fetch_conversation(CH).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.code()), (expect, code));
        let printed = format!("{error:?}");
        assert!(!printed.contains("secret") && !printed.contains("+1500"), "{printed}");
    }
    assert_eq!(twilio.seen().len(), 6);
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_too_long_is_told_apart_from_a_failure() {
    let twilio = FakeTwilio::start(|_, _| Reply::Text(201, r#"{"sid":"secret words"}"#)).await;
    let error = client(&twilio.url()).create_message(CH, &text("x")).await.unwrap_err();
    assert!(matches!(error, RestError::Decode), "{error:?}");
    assert_eq!(error.retry(), Retry::Unknown);
    assert_eq!(twilio.seen().len(), 1);

    let (url, count, _tasks) = hang_up_after("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{").await;
    let error = client(&url).fetch_conversation(CH).await.unwrap_err();
    assert!(matches!(error, RestError::TooLong), "{error:?}");
    assert_eq!(*count.borrow(), 1);
}

#[tokio::test]
async fn errors_name_no_address_of_the_request() {
    let (url, _count, _tasks) = hang_up_after("").await;
    let error = client(&url).without_retries().fetch_conversation("+15005550006").await.unwrap_err();
    let mut printed = format!("{error:?} {error}");
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        printed += &error.to_string();
        source = error.source();
    }
    assert!(!printed.contains("1500") && !printed.contains(TOKEN), "{printed}");
}

#[tokio::test]
async fn redirects_of_files_are_followed_and_nobody_in_private_is_asked() {
    let secret = FakeTwilio::start(|_, _| Reply::Text(200, "a secret")).await;
    let place = secret.url();
    let twilio = FakeTwilio::start(move |seen, _| match seen.path.as_str() {
        "/round" => Reply::Redirect("/round".to_owned()),
        "/here" => Reply::Redirect("/there".to_owned()),
        "/there" => Reply::Text(200, "the bytes"),
        "/metadata" => Reply::Redirect("https://169.254.169.254/latest".to_owned()),
        "/name" => Reply::Redirect("https://localhost:1/".to_owned()),
        _ => Reply::Redirect(place.clone()),
    })
    .await;
    let client = client(&twilio.url());
    let fetch = async |path: &str| {
        let url = format!("{}{path}", twilio.url()).parse().unwrap();
        client.fetch_file(url, 9).await
    };
    assert_eq!(fetch("/here").await.unwrap(), "the bytes");
    for path in ["/metadata", "/name", "/elsewhere"] {
        let refused = fetch(path).await.unwrap_err();
        assert!(matches!(refused, RestError::PrivateAddress), "{path} {refused:?}");
    }
    assert!(matches!(fetch("/round").await.unwrap_err(), RestError::Decode));
    let too_long = client.fetch_file(format!("{}/there", twilio.url()).parse().unwrap(), 8).await.unwrap_err();
    assert!(matches!(too_long, RestError::TooLong), "{too_long:?}");
    assert!(secret.seen().is_empty(), "nobody was asked, and nobody got the credentials");
}

#[tokio::test]
async fn files_go_to_the_media_service_and_come_from_its_temporary_address() {
    let twilio = FakeTwilio::start(|seen, _| {
        let place = if seen.path.ends_with(OTHER) { "127.0.0.1:9" } else { seen.header("host") };
        let place = format!("http://{place}/temporary?sig=1");
        let links = json!({"content_direct_temporary": place, "content": "/c"});
        match seen.line().as_str() {
            "GET /temporary" => Reply::Text(200, "the bytes"),
            _ => Reply::Json(201, json!({"sid": ME, "size": 9, "content_type": "image/png", "links": links})),
        }
    })
    .await;
    let client = client(&twilio.url());
    let service = IS.parse().unwrap();
    let uploaded =
        client.upload_media(service, "image/png", Some("a b.png"), Bytes::from_static(b"the bytes")).await.unwrap();
    assert_eq!(uploaded.sid.as_str(), ME);
    assert_eq!(client.download_media(service, uploaded.sid, 1024).await.unwrap(), "the bytes");

    let seen = twilio.seen();
    assert_eq!(seen[0].line(), format!("POST /v1/Services/{IS}/Media"));
    assert_eq!(seen[0].query.as_deref(), Some("Filename=a+b.png"));
    assert_eq!((seen[0].header("content-type"), &seen[0].body[..]), ("image/png", &b"the bytes"[..]));
    assert_eq!(seen[1].line(), format!("GET /v1/Services/{IS}/Media/{ME}"));
    assert_eq!(seen[2].header("authorization"), seen[1].header("authorization"));
    // An address in the clear that is not the media service's own is not followed.
    let error = client.download_media(service, OTHER.parse().unwrap(), 1024).await.unwrap_err();
    assert!(matches!(error, RestError::PrivateAddress), "{error:?}");

    for (content_type, data) in [("image/png", ""), ("png", "x"), ("image/\npng", "x")] {
        let refused = client.upload_media(service, content_type, None, data.into()).await.unwrap_err();
        assert!(matches!(refused, RestError::BadArgument(_)), "{refused:?}");
    }
    assert_eq!(twilio.seen().len(), 4);
}

#[tokio::test]
async fn messages_keep_to_the_senders_rate() {
    let twilio = FakeTwilio::start(|_, number| Reply::Json(201, message(number as u64))).await;
    let config = RestConfig { messages_per_second: NonZeroU32::new(10), ..rest_config(&twilio.url()) };
    let client = RestClient::new(config).unwrap();
    let begin = Instant::now();
    for _ in 0..12 {
        client.create_message(CH, &text("x")).await.unwrap();
    }
    assert!(begin.elapsed() >= Duration::from_millis(150), "{:?}", begin.elapsed());

    let impatient = Duration::from_millis(50);
    let rate = NonZeroU32::new(1);
    let config = RestConfig { messages_per_second: rate, operation_timeout: impatient, ..rest_config(&twilio.url()) };
    let client = RestClient::new(config).unwrap();
    let outcomes = [client.create_message(CH, &text("x")).await, client.create_message(CH, &text("x")).await];
    assert!(matches!(outcomes, [Ok(_), Err(RestError::Throttled { .. })]), "{outcomes:?}");
    assert_eq!(twilio.seen().len(), 13);
}
