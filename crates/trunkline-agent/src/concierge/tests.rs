use trunkline_core::Channel;

use super::*;
use crate::{Reply, Role, Utterance, collect};

fn turn(input: &[&str], memories: &[(&str, &str)], history: usize) -> Turn {
    Turn {
        id: "turn-1".into(),
        attempt: 1,
        deadline: std::time::Duration::from_secs(30),
        traceparent: None,
        conversation: "c".into(),
        contact: "p".into(),
        channel: Channel::Sms,
        input: input.iter().map(|text| Pii::new((*text).to_owned())).collect(),
        attachments: Vec::new(),
        history: vec![Utterance { role: Role::Person, text: Pii::new("earlier".into()) }; history],
        recalled: Vec::new(),
        summary: None,
        memories: memories.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

async fn reply(turn: Turn) -> Reply {
    let concierge = Concierge::built_in().expect("rules");
    collect(concierge.respond(turn).await.expect("stream"), 10_000).await.expect("reply")
}

async fn says(input: &str, memories: &[(&str, &str)], expected: &str) {
    let reply = reply(turn(&[input], memories, 1)).await;
    assert!(reply.text.expose().contains(expected), "{input:?} gave {:?}", reply.text.expose());
}

#[tokio::test]
async fn a_name_is_learnt_and_known() {
    for (input, name) in [
        ("my name is Ada", "Ada"),
        ("Hi, my name's Ada Lovelace!", "Ada Lovelace"),
        ("please call me Grace", "Grace"),
        ("MY NAME IS JOSÉ", "JOSÉ"),
    ] {
        let reply = reply(turn(&[input], &[], 0)).await;
        assert_eq!(reply.memories.get("name").map(String::as_str), Some(name), "{input}");
        assert!(reply.text.expose().contains(name));
    }
    says("what is my name?", &[("name", "Ada")], "Your name is Ada.").await;
    says("What's my name", &[("name", "Ada")], "Ada").await;
    says("what is my name?", &[], "not told me").await;
}

#[tokio::test]
async fn facts_are_kept_under_their_own_name() {
    let told = reply(turn(&["My favourite colour is green."], &[], 1)).await;
    assert_eq!(told.memories.get("favourite colour").map(String::as_str), Some("green"));
    says("what is my favourite colour?", &[("favourite colour", "green")], "Your favourite colour is green.").await;
    says("what is my shoe size?", &[], "your shoe size").await;
}

#[tokio::test]
async fn a_burst_is_one_answer_and_later_texts_know_earlier_ones() {
    let reply = reply(turn(&["my name is Ada", "what is my name?", "thanks"], &[], 1)).await;
    assert!(reply.text.expose().contains("Your name is Ada."), "{:?}", reply.text.expose());
    assert_eq!(reply.text.expose().lines().count(), 3);
}

#[tokio::test]
async fn strangers_are_greeted_and_nonsense_gets_a_sensible_answer() {
    assert!(reply(turn(&["xyzzy"], &[], 0)).await.text.expose().starts_with("Hello!"));
    says("xyzzy", &[], "opening hours").await;
    says("", &[], "opening hours").await;
    says("hello", &[("name", "Ada")], "Hello again, Ada").await;
}

#[tokio::test]
async fn questions_are_answered_and_a_person_can_be_reached() {
    says("When are you open?", &[], "9:00").await;
    says("how much is it", &[], "40").await;
    let reply = reply(turn(&["I want to speak to a person"], &[], 1)).await;
    assert!(reply.hand_over);
    assert!(reply.text.expose().contains("handing you over"));
}

#[tokio::test]
async fn what_people_write_is_not_a_template() {
    let reply = reply(turn(&["my name is Ada", "my pet is {name}"], &[], 1)).await;
    assert_eq!(reply.memories.get("pet").map(String::as_str), Some("{name}"));
    assert!(reply.text.expose().contains("{name}"));
}

#[tokio::test]
async fn a_reply_is_never_blank() {
    let text = r#"
name = "c"
greeting = "{name}"
fallback = ["I am at a loss, {name}"]
[[rule]]
when = ['^note(?<note>.*)$']
say = ["{note}"]
remember = { note = "{note}" }
[[rule]]
when = ['^nod$']
say = [" "]
"#;
    let concierge = Concierge::from_toml(text).expect("rules");
    for (input, memories, history, expected) in [
        (&["note "][..], &[("name", "")][..], 0, "I am at a loss, "),
        (&["nod"], &[("name", "Ada")], 0, "Ada"),
        (&["nod", "note this"], &[], 1, "this"),
        (&[""], &[("name", " ")], 1, "I am at a loss,  "),
    ] {
        let stream = concierge.respond(turn(input, memories, history)).await.expect("stream");
        let reply = collect(stream, 10_000).await.expect("reply");
        assert_eq!(reply.text.expose(), expected, "{input:?}");
    }
    let error = Concierge::from_toml(&text.replace("I am at a loss, ", "")).expect_err("refused");
    assert_eq!(error.problems().first().expect("problem").key, "concierge.fallback");
}

#[test]
fn every_bad_rule_is_named() {
    let text = r#"
name = "c"
greeting = "hi"
fallback = []
[[rule]]
when = ["("]
say = ["a"]
[[rule]]
when = ["a"]
say = []
recall = "x"
"#;
    let error = Concierge::from_toml(text).expect_err("refused");
    let keys: Vec<_> = error.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        ["concierge.fallback", "concierge.rule[1].when", "concierge.rule[2].say", "concierge.rule[2].missing"]
    );
    let error = Concierge::from_toml("name = 3").expect_err("refused");
    assert!(error.to_string().starts_with("concierge: line 1"), "{error}");
}

fn passage(kind: &str, source: &str, text: &str) -> crate::Passage {
    crate::Passage {
        kind: kind.into(),
        source: Pii::new(source.into()),
        title: Pii::new(source.into()),
        text: Pii::new(text.into()),
        coverage: 0.7,
    }
}

#[tokio::test]
async fn what_no_rule_fits_is_answered_from_what_it_reminds_of_and_the_source_is_named() {
    let mut asked = turn(&["do you repair bagpipes?"], &[], 0);
    asked.recalled = vec![passage("document", "services.pdf", "We sell drums. We repair bagpipes on Fridays.")];
    let told = reply(asked.clone()).await.text.into_inner();
    assert_eq!(told, "According to services.pdf: We repair bagpipes on Fridays.");
    let quiet = Concierge::built_in().expect("rules").recalling(false);
    let told = collect(quiet.respond(asked.clone()).await.expect("stream"), 10_000).await.expect("reply");
    assert!(!told.text.expose().contains("bagpipes"), "{:?}", told.text.expose());
    asked.recalled[0].coverage = 0.3;
    assert!(!reply(asked).await.text.expose().contains("Fridays"));
}

#[tokio::test]
async fn an_earlier_talk_is_quoted_to_a_question_and_not_to_a_remark() {
    let call = "Agent: Which instrument?\nPerson: the bagpipe is tuned in B flat\nPerson: is the bagpipe tuned?";
    let mut asked = turn(&["how was the bagpipe tuned?"], &[], 1);
    asked.recalled = vec![passage("transcript", "Call on 2026-11-28", call)];
    let told = reply(asked.clone()).await.text.into_inner();
    assert!(
        told.starts_with("According to our call on 2026-11-28: you said: the bagpipe is tuned in B flat"),
        "{told}"
    );
    asked.input = vec![Pii::new("the bagpipe is tuned".into())];
    assert!(!reply(asked).await.text.expose().contains("According"));
}
