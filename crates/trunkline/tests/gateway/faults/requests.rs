//! Requests that fail: sends, the look-up of a send whose outcome is not known, joining a conversation.

use serde_json::{Value, json};

use super::{Person, Stage, Way};
use crate::support::SENDS;

const MESSAGES: &str = "/2010-04-01/Accounts/*/Messages.json";
const SENDS_OF_SOCKETS: &str = "/Client/v2/Services/*/Conversations/*/Messages";
const JOINS: &str = "/v1/**/Participants";

/// The places where a fault can strike a request, with the requests that it strikes there.
const fn places(way: Way) -> &'static [(&'static str, Option<&'static str>, u64, Person)] {
    match way {
        Way::Conversations => &[
            (SENDS, Some("POST"), 1, Person::Known),
            (SENDS, None, 2, Person::Known),
            (SENDS, Some("POST"), 2, Person::New),
        ],
        Way::Messaging => &[
            (MESSAGES, Some("POST"), 1, Person::Known),
            (MESSAGES, None, 2, Person::Known),
            (MESSAGES, Some("POST"), 2, Person::New),
        ],
        Way::Socket => &[(SENDS_OF_SOCKETS, Some("POST"), 1, Person::Known), (JOINS, Some("POST"), 2, Person::New)],
    }
}

/// Each fault at each place of a way.
async fn strike(way: Way, env: &[(&str, &str)], faults: &[Value]) {
    let mut stage = Stage::set_up(way, env).await;
    for (at, fault) in faults.iter().enumerate() {
        // After a send over the socket that nobody knows the outcome of, answers go by REST for a while.
        if way == Way::Socket && at > 0 {
            stage = Stage::set_up(way, env).await;
        }
        for (path, method, count, person) in places(way) {
            let is_of_body = fault["kind"] == "truncate" || fault["kind"] == "wrong_json";
            if *path == SENDS_OF_SOCKETS && is_of_body {
                continue;
            }
            let mut matches = json!({"path": path});
            if let Some(method) = method {
                matches["method"] = json!(method);
            }
            stage.strike(*person, json!({"match": matches, "count": count, "fault": fault})).await;
        }
    }
}

async fn by_all_ways(faults: &[Value]) {
    for way in [Way::Conversations, Way::Messaging, Way::Socket] {
        Box::pin(strike(way, &[], faults)).await;
    }
}

#[tokio::test]
async fn connections_that_close_before_the_request_is_carried_out() {
    by_all_ways(&[json!({"kind": "drop_before"})]).await;
}

#[tokio::test]
async fn connections_that_close_after_the_request_was_carried_out() {
    by_all_ways(&[json!({"kind": "drop_after"})]).await;
}

#[tokio::test]
async fn requests_that_are_refused_because_there_are_too_many() {
    let faults =
        [json!({"kind": "status", "status": 429}), json!({"kind": "status", "status": 429, "retry_after_ms": 1000})];
    by_all_ways(&faults).await;
}

#[tokio::test]
async fn errors_of_the_provider_before_the_request_is_carried_out() {
    by_all_ways(&[500, 503, 504].map(|status| json!({"kind": "status", "status": status}))).await;
}

#[tokio::test]
async fn errors_of_the_provider_after_the_request_was_carried_out() {
    by_all_ways(&[500, 503, 504].map(|status| json!({"kind": "status", "status": status, "after": true}))).await;
}

#[tokio::test]
async fn credentials_that_are_refused_for_a_moment() {
    let fault = json!({"kind": "status", "status": 401});
    for (way, path) in [(Way::Conversations, SENDS), (Way::Messaging, MESSAGES)] {
        let mut stage = Box::pin(Stage::set_up(way, &[])).await;
        let rule = json!({"match": {"method": "POST", "path": path}, "count": 1, "fault": fault});
        stage.strike(Person::Known, rule).await;
    }
}

#[tokio::test]
async fn requests_that_take_their_time() {
    by_all_ways(&[json!({"kind": "latency", "ms": 300})]).await;
}

#[tokio::test]
async fn requests_that_take_longer_than_anybody_waits() {
    for way in [Way::Conversations, Way::Messaging] {
        Box::pin(strike(way, &[("TWILIO_TIMEOUT", "1s")], &[json!({"kind": "latency", "ms": 1500})])).await;
    }
}

#[tokio::test]
async fn answers_that_break_off() {
    by_all_ways(&[json!({"kind": "truncate"}), json!({"kind": "truncate", "bytes": 40})]).await;
}

#[tokio::test]
async fn answers_that_are_no_json() {
    by_all_ways(&[json!({"kind": "wrong_json"})]).await;
}
