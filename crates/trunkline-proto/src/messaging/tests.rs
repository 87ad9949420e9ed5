//! What is read of webhooks and answers, and what is refused.

use super::*;

const AC: &str = "AC00000000000000000000000000000001";
const SM: &str = "SM00000000000000000000000000000001";
const ADA: &str = "+15005550006";

fn params(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let base = [("AccountSid", AC), ("MessageSid", SM), ("From", ADA), ("To", "+15005550007"), ("Body", "Hello")];
    let kept = base.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more.iter().copied()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_message_is_read_with_its_files() {
    let message = InboundMessage::parse(&params(&[
        ("NumMedia", "2"),
        ("MediaUrl0", "https://h/ME1"),
        ("MediaContentType0", "image/png"),
        ("MediaUrl1", "https://h/ME2"),
        ("MediaUrl2", "https://h/ME3"),
    ]))
    .unwrap();
    assert_eq!((message.from.as_str(), message.body.as_str()), (ADA, "Hello"));
    let kinds: Vec<_> = message.media.iter().map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(kinds, ["image/png", "application/octet-stream"]);
    assert_eq!(message.dedupe_key(), format!("{SM}:received"));
    let shown = format!("{message:?}");
    assert!(!shown.contains(ADA) && !shown.contains("Hello"), "{shown}");
}

#[test]
fn a_status_has_a_key_of_its_own() {
    let parse = |status: &str| {
        let more = [("MessageStatus", status), ("ErrorCode", "30003")];
        MessageStatusUpdate::parse(&params(&more)).unwrap()
    };
    let (sent, failed) = (parse("sent"), parse("failed"));
    assert_ne!(sent.dedupe_key(None), failed.dedupe_key(None));
    assert_eq!(failed.error_code, Some(30003));
    assert_eq!(sent.dedupe_key(Some("t1")), "t1:status");
    assert!(!format!("{failed:?}").contains(ADA));
}

#[test]
fn what_is_missing_or_malformed_is_named_and_not_repeated() {
    for name in ["AccountSid", "MessageSid", "From", "To"] {
        let problem = InboundMessage::parse(&params(&[(name, "")])).unwrap_err();
        assert_eq!(problem.to_string(), format!("the parameter {name} is missing"));
    }
    let problem = InboundMessage::parse(&params(&[("MessageSid", "secret")])).unwrap_err();
    assert_eq!(problem.to_string(), "the parameter MessageSid is malformed");
    let problem = MessageStatusUpdate::parse(&params(&[("MessageStatus", "sent"), ("ErrorCode", "x")])).unwrap_err();
    assert_eq!(problem.code(), "proto.webhook.bad_parameter");
    assert!(MessageStatusUpdate::parse(&params(&[])).is_err());
}

#[test]
fn an_answer_is_read_with_its_dates() {
    let text = format!(
        r#"{{"sid":"{SM}","to":"{ADA}","from":null,"body":"Hello","direction":"outbound-api","status":"queued",
            "error_code":null,"num_media":"0","date_created":"Sat, 28 Nov 2026 10:11:12 +0000","date_sent":null}}"#
    );
    let message: ChannelMessage = serde_json::from_str(&text).unwrap();
    assert_eq!(message.date_created.unwrap().to_string(), "2026-11-28T10:11:12Z");
    assert!(message.date_sent.is_none() && !message.is_inbound());
    assert!(!format!("{message:?}").contains(ADA));
}
