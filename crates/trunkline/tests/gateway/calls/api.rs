//! The API of calls, where it refuses and where it lists.

use super::*;

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_problem_like_all_others() {
    let world = world(&[]).await;
    let url = world.gateway_url("/api/v1/calls/none/say");
    let ask = |kind: &'static str, body: &'static str| {
        let request = world.http.post(&url).bearer_auth(CONSOLE_TOKEN).header("content-type", kind).body(body);
        answer(request)
    };
    for (kind, body, status) in [
        ("application/json", r#"{"text": "hello""#, StatusCode::BAD_REQUEST),
        ("application/json", r#"{"txt": "hello"}"#, StatusCode::BAD_REQUEST),
        ("application/json", "", StatusCode::BAD_REQUEST),
        ("text/plain", r#"{"text": "hello"}"#, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let refused = ask(kind, body).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        assert_eq!(refused.body["code"], "console.bad_request", "{}", refused.text);
        assert_eq!(refused.body["status"], status.as_u16(), "{}", refused.text);
        assert!(!refused.text.contains("hello") && refused.body["message"].is_string(), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_past_call_is_listed_with_the_persons_first_words() {
    let world = world(&[]).await;
    let steps = [
        listen(),
        json!({"say": "my name is ada"}),
        listen(),
        json!({"say": "what is my name"}),
        listen(),
        json!({"hang_up": true}),
    ];
    call(&world, ADA, &steps).await;
    let past = past_call(&world).await;
    assert_eq!(past["first_words"], "my name is Ada", "{past}");
    assert!(past["turns"].as_array().unwrap().is_empty(), "the list is short: {past}");
}
