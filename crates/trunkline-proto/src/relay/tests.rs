//! Twilio's documented messages, wrong ones, and both ends against each other.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SETUP: &str = r#"{ "type": "setup", "sessionId": "VX00000000000000000000000000000000", "accountSid": "AC00000000000000000000000000000000", "parentCallSid": "", "callSid": "CA00000000000000000000000000000000", "from": "+14151234567", "to": "+18881234567", "forwardedFrom": "+18881234567", "callType": "PSTN", "callerName": "", "direction": "inbound", "callStatus": "RINGING", "customParameters": { "callReference": "MyReference" } }"#;

fn set_up() -> ServerSession {
    let mut session = ServerSession::new();
    session.text(SETUP).unwrap();
    session
}

#[test]
fn the_messages_of_twilios_page_are_read() {
    let mut session = ServerSession::new();
    let Ok(Event::Setup(setup)) = session.text(SETUP) else { panic!("no setup") };
    assert_eq!((setup.from.as_str(), setup.call_status.as_str()), ("+14151234567", "RINGING"));
    assert_eq!(setup.custom_parameters["callReference"], "MyReference");
    assert!(!format!("{setup:?}").contains("+1415"));
    let mut check = |text: &str, expected: Event<'_>| assert_eq!(session.text(text), Ok(expected), "{text}");
    check(
        r#"{ "type": "prompt", "voicePrompt": "Hi! Can you tell me about my balance?", "lang": "en-US", "last": true }"#,
        Event::Prompt {
            voice_prompt: "Hi! Can you tell me about my balance?".into(),
            lang: Some("en-US".into()),
            last: true,
        },
    );
    check(r#"{"type":"prompt","voicePrompt":""}"#, Event::Prompt { voice_prompt: "".into(), lang: None, last: true });
    check(r#"{ "type": "dtmf", "digit": "1" }"#, Event::Dtmf { digit: '1' });
    check(
        r#"{ "type": "interrupt", "utteranceUntilInterrupt": "Life is a complex set of", "durationUntilInterruptMs": 460 }"#,
        Event::Interrupt { utterance: "Life is a complex set of".into(), duration_ms: 460 },
    );
    check(
        r#"{ "type": "interrupt", "utteranceUntilInterrupt": "", "durationUntilInterruptMs": "460" }"#,
        Event::Interrupt { utterance: "".into(), duration_ms: 460 },
    );
    check(
        r#"{ "type": "error", "description": "Invalid message received: { \"foo\" : \"bar\" }" }"#,
        Event::Error { description: "Invalid message received: { \"foo\" : \"bar\" }".into() },
    );
    check(r#"{"type":"info","any":[1]}"#, Event::Info(r#"{"type":"info","any":[1]}"#));
    check(r#"{"type":"later","digit":[]}"#, Event::Ignored("later".into()));
    assert_eq!(session.counters(), Counters { faults: 0, ignored: 1 });
}

#[test]
fn what_we_write_is_what_twilio_documents() {
    let check = |command: Command<'_>, expected: &str| {
        let mut out = Vec::new();
        set_up().write(&command, &mut out).unwrap();
        assert_eq!(str::from_utf8(&out).unwrap(), expected);
        assert_eq!(CallerSession::new().text(expected), Ok(command));
    };
    let text = |token: &'static str, last| Command::Text {
        token: token.into(),
        last,
        lang: None,
        interruptible: None,
        preemptible: None,
    };
    check(text("Hello ", false), r#"{"type":"text","token":"Hello ","last":false}"#);
    check(text("", true), r#"{"type":"text","token":"","last":true}"#);
    check(
        Command::Text {
            token: "Hola".into(),
            last: true,
            lang: Some("es-ES".into()),
            interruptible: Some(false),
            preemptible: Some(true),
        },
        r#"{"type":"text","token":"Hola","last":true,"lang":"es-ES","interruptible":false,"preemptible":true}"#,
    );
    check(
        Command::Play {
            source: "https://api.twilio.com/cowbell.mp3".into(),
            times: 1,
            interruptible: Some(true),
            preemptible: Some(false),
        },
        r#"{"type":"play","source":"https://api.twilio.com/cowbell.mp3","loop":1,"preemptible":false,"interruptible":true}"#,
    );
    check(
        Command::SendDigits { digits: "9www4085551212".into() },
        r#"{"type":"sendDigits","digits":"9www4085551212"}"#,
    );
    check(
        Command::Language { tts: Some("sv-SE".into()), transcription: Some("en-US".into()) },
        r#"{"type":"language","ttsLanguage":"sv-SE","transcriptionLanguage":"en-US"}"#,
    );
    check(Command::End { handoff_data: None }, r#"{"type":"end"}"#);
    check(
        Command::End { handoff_data: Some("{\"reason\":\"live-agent\"}".into()) },
        r#"{"type":"end","handoffData":"{\"reason\":\"live-agent\"}"}"#,
    );
}

#[test]
fn what_twilio_would_not_take_is_not_written() {
    let check = |command: Command<'_>, expected: CommandError| {
        let mut out = Vec::new();
        assert_eq!(set_up().write(&command, &mut out), Err(expected));
        assert!(out.is_empty() && expected.code().starts_with("relay.command."));
    };
    check(Command::SendDigits { digits: "12x".into() }, CommandError::Digits);
    check(Command::SendDigits { digits: "".into() }, CommandError::Digits);
    check(Command::Language { tts: None, transcription: None }, CommandError::NoLanguage);
    let source = "file:///etc/motd".into();
    check(Command::Play { source, times: 1, interruptible: None, preemptible: None }, CommandError::Source);
}

#[test]
fn what_twilio_would_not_say_is_answered_by_rule() {
    let check = |session: &mut ServerSession, text: &str, expected: Fault, may_go_on: bool| {
        let before = session.counters().faults;
        let fault = session.text(text).unwrap_err();
        assert_eq!((fault, fault.may_go_on()), (expected, may_go_on), "{text}");
        assert!(fault.code().starts_with("relay."));
        assert_eq!(session.counters().faults, before + 1);
    };
    let mut new = ServerSession::new();
    check(&mut new, r#"{"type":"dtmf","digit":"1"}"#, Fault::BeforeSetup("dtmf"), true);
    check(&mut new, r#"{"type":"setup"}"#, Fault::Missing("sessionId"), true);
    check(&mut new, r#"{"type":"setup","sessionId":"VX1"}"#, Fault::Missing("callSid"), true);
    check(&mut new, &SETUP.replace("MyReference", &"x".repeat(500)), Fault::Parameters, false);
    assert!(new.text(SETUP).is_ok(), "a bad setup leaves nothing behind");
    let mut session = set_up();
    check(&mut session, SETUP, Fault::SecondSetup, false);
    check(&mut session, "hello", Fault::NotJson { at: 1 }, true);
    check(&mut session, "{}", Fault::Missing("type"), true);
    check(&mut session, r#"["prompt"]"#, Fault::WrongType { at: 1 }, true);
    check(&mut session, r#"{"type":"prompt"}"#, Fault::Missing("voicePrompt"), true);
    check(&mut session, r#"{"type":"prompt","voicePrompt":null}"#, Fault::Missing("voicePrompt"), true);
    check(&mut session, r#"{"type":"dtmf","digit":"10"}"#, Fault::Missing("digit"), true);
    check(&mut session, r#"{"type":"interrupt"}"#, Fault::Missing("utteranceUntilInterrupt"), true);
    check(&mut session, r#"{"type":"error"}"#, Fault::Missing("description"), true);
    check(&mut session, &" ".repeat(MAX_MESSAGE + 1), Fault::TooLarge, false);
    assert!(matches!(session.text(r#"{"type":"prompt","voicePrompt":5}"#), Err(Fault::WrongType { .. })));
    assert_eq!(session.binary(), Fault::Binary);
}

#[test]
fn twilio_warns_each_time_and_ends_after_ten_in_a_row() {
    let mut caller = CallerSession::new();
    let wrong = [
        ("hello", CommandError::Malformed),
        ("[]", CommandError::Malformed),
        (r#"{"type":"text"}"#, CommandError::Malformed),
        (r#"{"type":"text","token":null}"#, CommandError::Malformed),
        (r#"{"type":"text","token":"a","last":"yes"}"#, CommandError::Malformed),
        (r#"{"type":"play","source":"https://a","loop":-1}"#, CommandError::Malformed),
        (r#"{"type":"sendDigits","digits":"abc"}"#, CommandError::Digits),
        (r#"{"type":"language"}"#, CommandError::NoLanguage),
        (r#"{"foo":"bar"}"#, CommandError::Unidentified),
    ];
    for (text, error) in wrong {
        assert_eq!(caller.text(text), Err(Rejected { error, number: 64107, close: None }), "{text}");
    }
    assert_eq!(caller.text(r#"{"type":"end","new":1}"#), Ok(Command::End { handoff_data: None }));
    for _ in 1..MAX_MALFORMED {
        assert_eq!(caller.binary().close, None);
    }
    let close = Close { code: 1007, reason: "Too many consecutive malformed messages", number: 64105 };
    assert_eq!(caller.text("").unwrap_err().close, Some(close));
    let forever = caller.text(r#"{"type":"play","source":"https://a","loop":0}"#);
    assert!(matches!(forever, Ok(Command::Play { times: PLAY_FOREVER, .. })));
}

proptest! {
    #[test]
    fn nothing_breaks_either_end(texts in prop::collection::vec(prop_oneof![
        any::<String>(),
        "[{}\\[\\]\":,a-z0-9]{0,60}",
        (any::<usize>(), any::<char>()).prop_map(|(at, with)| {
            let mut text: Vec<char> = SETUP.chars().collect();
            let at = at % text.len();
            text[at] = with;
            text.into_iter().collect()
        }),
    ], 0..12)) {
        let (mut server, mut caller) = (ServerSession::new(), CallerSession::new());
        for text in &texts {
            let _anything = server.text(text);
            let _anything = caller.text(text);
        }
        let counters = server.counters();
        prop_assert!(counters.faults + counters.ignored <= texts.len() as u64);
    }

    #[test]
    fn both_ends_understand_each_other(
        words in any::<String>(), number in any::<u64>(), times in 1..=PLAY_FOREVER, last in any::<bool>(), flag in any::<Option<bool>>(),
        key in prop::sample::select("0123456789*#ABCD".chars().collect::<Vec<_>>()),
        parameters in prop::collection::btree_map(".{1,20}", ".{0,400}", 0..5),
    ) {
        let (mut server, mut caller) = (ServerSession::new(), CallerSession::new());
        let setup = Setup {
            session_id: "VX1".to_owned(), call_sid: "CA1".to_owned(), caller_name: words.clone(),
            custom_parameters: parameters, ..Setup::default()
        };
        let mut out = Vec::new();
        caller.write_setup(&setup, &mut out);
        prop_assert_eq!(server.text(str::from_utf8(&out).unwrap()), Ok(Event::Setup(Box::new(setup))));
        out.clear();
        caller.write_prompt(&words, "en-US", last, &mut out);
        let expected = Event::Prompt { voice_prompt: words.as_str().into(), lang: Some("en-US".into()), last };
        prop_assert_eq!(server.text(str::from_utf8(&out).unwrap()), Ok(expected));
        out.clear();
        caller.write_interrupt(&words, number, &mut out);
        let expected = Event::Interrupt { utterance: words.as_str().into(), duration_ms: number };
        prop_assert_eq!(server.text(str::from_utf8(&out).unwrap()), Ok(expected));
        out.clear();
        caller.write_dtmf(key, &mut out);
        prop_assert_eq!(server.text(str::from_utf8(&out).unwrap()), Ok(Event::Dtmf { digit: key }));
        out.clear();
        caller.write_error(&words, &mut out);
        let expected = Event::Error { description: words.as_str().into() };
        prop_assert_eq!(server.text(str::from_utf8(&out).unwrap()), Ok(expected));
        out.clear();
        caller.write_info(&words, &words, &mut out);
        prop_assert!(matches!(server.text(str::from_utf8(&out).unwrap()), Ok(Event::Info(_))));
        let commands = [
            Command::Text {
                token: words.as_str().into(), last, lang: last.then(|| words.as_str().into()), interruptible: flag,
                preemptible: flag,
            },
            Command::Play {
                source: format!("https://{words}").into(), times, interruptible: flag,
                preemptible: flag,
            },
            Command::SendDigits { digits: number.to_string().into() },
            Command::Language { tts: Some(words.as_str().into()), transcription: last.then(|| words.as_str().into()) },
            Command::End { handoff_data: last.then(|| words.as_str().into()) },
        ];
        for command in commands {
            out.clear();
            prop_assert_eq!(server.write(&command, &mut out), Ok(()));
            prop_assert_eq!(caller.text(str::from_utf8(&out).unwrap()), Ok(command));
        }
    }
}

#[test]
fn a_setup_may_hold_no_more_parameters_than_are_accepted() {
    let parameters = (0..=MAX_PARAMETERS).map(|at| (at.to_string(), String::new())).collect::<BTreeMap<_, _>>();
    let setup = Setup {
        session_id: "VX1".to_owned(),
        call_sid: "CA1".to_owned(),
        custom_parameters: parameters,
        ..Setup::default()
    };
    let mut out = Vec::new();
    CallerSession::new().write_setup(&setup, &mut out);
    assert_eq!(ServerSession::new().text(str::from_utf8(&out).unwrap()), Err(Fault::Parameters));
}
