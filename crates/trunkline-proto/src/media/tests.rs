//! Twilio's documented messages, wrong ones, both ends against each other, and the queue.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The start of Twilio's page, with one parameter.
const START: &str = r#"{ "event": "start", "sequenceNumber": "1", "start": { "accountSid": "AC11111111111111111111111111111111", "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0", "callSid": "CA22222222222222222222222222222222", "tracks": [ "inbound" ], "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 }, "customParameters": { "FirstName": "Jane" } }, "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0" }"#;
const SID: &str = "MZ18ad3ab5a668481ce02b83e7395059f0";

fn started() -> ServerSession {
    let mut session = ServerSession::new(Limits::default());
    let event = session.text(START).unwrap();
    assert!(matches!(event, Event::Start(_)));
    session
}

fn with_sid(rest: &str) -> String {
    format!(r#"{{"streamSid":"{SID}",{rest}}}"#)
}

fn facts() -> CallFacts {
    CallFacts {
        account_sid: "AC11111111111111111111111111111111".to_owned(),
        call_sid: "CA22222222222222222222222222222222".to_owned(),
        stream_sid: SID.to_owned(),
        tracks: vec![Track::Inbound],
        custom_parameters: BTreeMap::from([("FirstName".to_owned(), "Jane".to_owned())]),
    }
}

#[test]
fn the_messages_of_twilios_page_are_read() {
    let mut session = ServerSession::new(Limits::default());
    let connected = r#"{ "event": "connected", "protocol": "Call", "version": "1.0.0" }"#;
    assert_eq!(session.text(connected), Ok(Event::Connected));
    let Ok(Event::Start(start)) = session.text(START) else { panic!("no start") };
    assert_eq!((start.stream_sid.as_str(), session.stream_sid()), (SID, SID));
    assert_eq!(start.call_sid, "CA22222222222222222222222222222222");
    assert_eq!(start.account_sid, "AC11111111111111111111111111111111");
    assert_eq!(start.tracks, [Track::Inbound]);
    assert_eq!(start.custom_parameters, facts().custom_parameters);
    let media = r#"{ "event": "media", "sequenceNumber": "2", "media": { "track": "inbound", "chunk": "1", "timestamp": "5", "payload": "no+JhoaJjpzSHxAKBgYJ" }, "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0" }"#;
    let Ok(Event::Media(media)) = session.text(media) else { panic!("no media") };
    assert_eq!((media.track, media.chunk, media.timestamp_ms), (Track::Inbound, 1, 5));
    let mut bytes = [0; FRAME_BYTES];
    assert_eq!(media.payload.decode_into(&mut bytes), Ok(15));
    assert_eq!(bytes[..4], [0x9E, 0x8F, 0x89, 0x86]);
    let dtmf = r#"{ "event": "dtmf", "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0", "sequenceNumber": "3", "dtmf": { "track": "inbound_track", "digit": "1" } }"#;
    assert_eq!(session.text(dtmf), Ok(Event::Dtmf { digit: '1' }));
    let mark = r#"{ "event": "mark", "sequenceNumber": "4", "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0", "mark": { "name": "my label" } }"#;
    assert_eq!(session.text(mark), Ok(Event::Mark { name: "my label".into() }));
    let stop = r#"{ "event": "stop", "sequenceNumber": "5", "stop": { "accountSid": "AC1", "callSid": "CA1" }, "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0" }"#;
    assert_eq!(session.text(stop), Ok(Event::Stop));
    assert_eq!(session.counters(), Counters { odd_sizes: 1, ..Counters::default() });
}

#[test]
fn what_we_write_is_what_twilio_documents() {
    let session = started();
    let mut out = Vec::new();
    let mut check = |write: &dyn Fn(&mut Vec<u8>) -> bool, expected: &str| {
        out.clear();
        assert!(write(&mut out));
        assert_eq!(str::from_utf8(&out).unwrap(), expected);
    };
    check(
        &|out| session.write_media(&[0xFF, 0x7F, 0x00], out),
        &format!(r#"{{"event":"media","streamSid":"{SID}","media":{{"payload":"/38A"}}}}"#),
    );
    check(
        &|out| session.write_mark("a \"b\"", out),
        &format!(r#"{{"event":"mark","streamSid":"{SID}","mark":{{"name":"a \"b\""}}}}"#),
    );
    check(&|out| session.write_clear(out), &format!(r#"{{"event":"clear","streamSid":"{SID}"}}"#));
    let before = ServerSession::new(Limits::default());
    out.clear();
    assert!(!before.write_media(&[1], &mut out) && !before.write_mark("a", &mut out) && !before.write_clear(&mut out));
    assert!(out.is_empty());
}

#[test]
fn what_twilio_would_not_say_is_answered_by_rule() {
    let check = |session: &mut ServerSession, text: &str, expected: Fault, may_go_on: bool| {
        let before = session.counters().faults;
        let fault = session.text(text).unwrap_err();
        assert_eq!(fault, expected, "{text}");
        assert_eq!(fault.may_go_on(), may_go_on, "{text}");
        assert!(fault.code().starts_with("media."));
        assert_eq!(session.counters().faults, before + 1);
    };
    let mut new = ServerSession::new(Limits::default());
    check(&mut new, &with_sid(r#""event":"media","media":{"payload":""}"#), Fault::BeforeStart("media"), true);
    check(&mut new, r#"{"event":"start"}"#, Fault::Missing("start"), true);
    check(&mut new, &START.replace("audio/x-mulaw", "audio/l16"), Fault::Format, false);
    check(&mut new, &START.replace("8000", "16000"), Fault::Format, false);
    check(
        &mut new,
        &START.replace("\"CA22222222222222222222222222222222\"", "\"\""),
        Fault::NotAnId("start.callSid"),
        true,
    );
    check(
        &mut new,
        &START.replace("\"AC11111111111111111111111111111111\"", "null"),
        Fault::Missing("start.accountSid"),
        true,
    );
    check(&mut new, &START.replacen(SID, "MZ2", 1), Fault::WrongStream, true);
    check(&mut new, &START.replace("Jane", &"x".repeat(500)), Fault::Parameters, false);
    let many: Vec<String> = (0..65).map(|at| format!("\"p{at}\":\"\"")).collect();
    check(&mut new, &START.replace("\"FirstName\": \"Jane\"", &many.join(",")), Fault::Parameters, false);
    assert!(new.text(START).is_ok(), "a bad start leaves nothing behind");

    let mut session = started();
    check(&mut session, START, Fault::SecondStart, false);
    check(&mut session, "", Fault::NotJson { at: 0 }, true);
    check(&mut session, "hello", Fault::NotJson { at: 1 }, true);
    check(&mut session, "{\"event\":\"mark\"", Fault::NotJson { at: 15 }, true);
    check(&mut session, "[]", Fault::WrongType { at: 1 }, true);
    check(&mut session, "{}", Fault::Missing("event"), true);
    check(&mut session, r#"{"event":"media","media":{"payload":""}}"#, Fault::Missing("streamSid"), true);
    check(&mut session, &with_sid(r#""event":"media""#), Fault::Missing("media"), true);
    check(&mut session, &with_sid(r#""event":"media","media":{}"#), Fault::Missing("media.payload"), true);
    check(
        &mut session,
        &with_sid(r#""event":"media","media":{"payload":"","track":"x"}"#),
        Fault::Missing("media.track"),
        true,
    );
    check(&mut session, &with_sid(r#""event":"dtmf","dtmf":{"digit":"12"}"#), Fault::Missing("dtmf.digit"), true);
    check(&mut session, &with_sid(r#""event":"mark","mark":{}"#), Fault::Missing("mark.name"), true);
    check(&mut session, r#"{"event":"stop","streamSid":"MZ2"}"#, Fault::WrongStream, true);
    let wrong = with_sid(r#""event":"media","media":{"payload":5}"#);
    assert!(matches!(session.text(&wrong), Err(Fault::WrongType { .. })));
    let negative = with_sid(r#""event":"media","sequenceNumber":"-1","media":{"payload":""}"#);
    assert!(matches!(session.text(&negative), Err(Fault::WrongType { .. })));
    check(&mut session, &" ".repeat(MAX_MESSAGE + 1), Fault::TooLarge, false);
    assert_eq!(session.binary(), Fault::Binary);
    assert_eq!(session.text(&with_sid(r#""event":"stop""#)), Ok(Event::Stop));
    check(&mut session, &with_sid(r#""event":"media","media":{"payload":""}"#), Fault::AfterStop("media"), true);
    check(&mut session, START, Fault::AfterStop("start"), true);
}

#[test]
fn numbers_may_be_numbers_and_gaps_and_odd_sizes_and_unknown_kinds_are_counted() {
    let mut session = started();
    let frame = |number: u32, payload: &str| {
        with_sid(&format!(
            r#""event":"media","sequenceNumber":{number},"new":[1],"media":{{"chunk":7,"timestamp":"40","payload":"{payload}"}}"#
        ))
    };
    let full = "/".repeat(213) + "8=";
    for (number, payload) in [(2, full.as_str()), (3, ""), (5, "AAA"), (6, "\\/38A")] {
        let text = frame(number, payload);
        let Ok(Event::Media(media)) = session.text(&text) else { panic!("{text}") };
        assert_eq!((media.chunk, media.timestamp_ms), (7, 40));
    }
    assert_eq!(session.text(r#"{"event":"video","media":5}"#), Ok(Event::Ignored("video".into())));
    assert_eq!(session.text(r#"{"event":"video"}"#), Ok(Event::Ignored("video".into())));
    assert_eq!(session.counters(), Counters { faults: 0, ignored: 2, gaps: 1, odd_sizes: 4 });
}

#[test]
fn a_payload_says_what_is_wrong_with_it() {
    let payload = |text: &'static str| Payload(text.into());
    let mut room = [0; 3];
    assert_eq!(payload("/38A").decode_into(&mut room), Ok(3));
    assert_eq!((payload("/38A").decoded_len(), payload("/38=").decoded_len(), payload("").decoded_len()), (3, 2, 0));
    assert_eq!(payload("/38AAA==").decode_into(&mut room), Err(PayloadError::TooLong));
    for text in ["/3", "/3 A", "====", "/38-"] {
        assert_eq!(payload(text).decode_into(&mut room), Err(PayloadError::NotBase64), "{text}");
        let mut bytes = vec![1];
        assert_eq!(payload(text).decode_onto(&mut bytes), Err(PayloadError::NotBase64), "{text}");
        assert_eq!(bytes, [1]);
    }
}

#[test]
fn twilio_warns_once_and_goes_on() {
    let mut caller = CallerSession::new(facts());
    let good = with_sid(r#""event":"clear""#);
    let once = |refused: Result<Command<'_>, Refused>| refused.unwrap_err().warning;
    assert_eq!(caller.text(&good), Ok(Command::Clear));
    assert_eq!(once(caller.text("nonsense")), Some(31951));
    for wrong in [
        r#"{"event":"clear"}"#.to_owned(),
        r#"{"event":"clear","streamSid":"MZ2"}"#.to_owned(),
        with_sid(r#""event":"clear","extra":1"#),
        with_sid(r#""event":"clear","mark":{"name":"a"}"#),
        with_sid(r#""event":"media","media":{"payload":"","track":"outbound"}"#),
        with_sid(r#""event":"mark","mark":{}"#),
        with_sid(r#""event":"stop""#),
        " ".repeat(MAX_MESSAGE + 1),
        format!(r#"["clear","{SID}"]"#),
    ] {
        assert_eq!(once(caller.text(&wrong)), None, "{wrong}");
    }
    assert_eq!((caller.binary().warning, caller.binary().warning), (Some(31950), None));
    assert_eq!(caller.text(&good), Ok(Command::Clear));
}

#[test]
fn marks_come_back_when_their_audio_has_been_heard() {
    let mut playback = Playback::new();
    let (mut frame, mut marks) = ([0; FRAME_BYTES], Vec::new());
    assert_eq!(playback.push_mark("at once".to_owned()), Ok(Some("at once".to_owned())));
    playback.push_media(&[1; 100]).unwrap();
    playback.push_media(&[2; 100]).unwrap();
    assert_eq!(playback.push_mark("end".to_owned()), Ok(None));
    assert_eq!((playback.pull(&mut frame, &mut marks), frame[99], frame[100]), (160, 1, 2));
    assert_eq!((playback.pull(&mut frame, &mut marks), frame[39], frame[40]), (40, 2, 0xFF));
    assert!(marks.is_empty() && playback.is_playing());
    // The last piece is still sounding.
    assert_eq!(playback.push_mark("behind".to_owned()), Ok(None));
    assert_eq!(playback.pull(&mut frame, &mut marks), 0);
    assert_eq!(marks, ["end", "behind"]);
    assert!(!playback.is_playing());
    playback.push_media(&[1; 1000]).unwrap();
    playback.push_mark("a".to_owned()).unwrap();
    playback.push_mark("b".to_owned()).unwrap();
    assert_eq!(playback.clear().collect::<Vec<_>>(), ["a", "b"]);
    assert!(!playback.is_playing());
}

#[test]
fn ten_minutes_are_the_limit() {
    let mut playback = Playback::new();
    playback.push_media(&vec![1; MAX_QUEUED - 1]).unwrap();
    assert_eq!(playback.push_media(&[1; 2]), Err(QueueFull { warning: Some(31931) }));
    assert_eq!(playback.push_media(&[1]), Err(QueueFull { warning: None }));
    assert_eq!(playback.queued(), MAX_QUEUED);
    for _ in 0..MAX_PENDING_MARKS {
        playback.push_mark(String::new()).unwrap();
    }
    assert_eq!(playback.push_mark(String::new()), Err(QueueFull { warning: None }));
}

proptest! {
    #[test]
    fn nothing_breaks_either_end(texts in prop::collection::vec(prop_oneof![
        any::<String>(),
        "[{}\\[\\]\":,a-z0-9]{0,60}",
        prop::sample::select(vec![START, r#"{"event":"stop","streamSid":"MZ18ad3ab5a668481ce02b83e7395059f0"}"#]).prop_map(str::to_owned),
        (any::<usize>(), any::<char>()).prop_map(|(at, with)| {
            let mut text: Vec<char> = START.chars().collect();
            let at = at % text.len();
            text[at] = with;
            text.into_iter().collect()
        }),
    ], 0..12)) {
        let mut server = ServerSession::new(Limits::default());
        let mut caller = CallerSession::new(facts());
        for text in &texts {
            let _anything = server.text(text);
            let _anything = caller.text(text);
        }
        let counters = server.counters();
        prop_assert!(counters.faults + counters.ignored <= texts.len() as u64);
    }

    #[test]
    fn both_ends_understand_each_other(
        audio in prop::collection::vec(any::<u8>(), 0..500), name in any::<String>(), at in any::<u64>(),
        key in prop::sample::select("0123456789*#ABCD".chars().collect::<Vec<_>>()),
        parameters in prop::collection::btree_map("[^\u{0}]{1,20}", any::<String>().prop_filter("short", |s| s.len() < 400), 0..5),
    ) {
        let mut server = ServerSession::new(Limits::default());
        let mut caller = CallerSession::new(CallFacts { custom_parameters: parameters.clone(), ..facts() });
        let mut heard = |write: &mut dyn FnMut(&mut CallerSession, &mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut caller, &mut out);
            String::from_utf8(out).unwrap()
        };
        let connected = heard(&mut |caller, out| caller.write_connected(out));
        prop_assert_eq!(server.text(&connected), Ok(Event::Connected));
        let start = heard(&mut |caller, out| caller.write_start(out));
        let Ok(Event::Start(start)) = server.text(&start) else { panic!("{start}") };
        prop_assert_eq!(start.custom_parameters, parameters);
        let media = heard(&mut |caller, out| caller.write_media(Track::Inbound, at, &audio, out));
        let Ok(Event::Media(media)) = server.text(&media) else { panic!("{media}") };
        let mut bytes = Vec::new();
        prop_assert_eq!(media.payload.decode_onto(&mut bytes), Ok(audio.len()));
        prop_assert_eq!((&bytes, media.chunk, media.timestamp_ms), (&audio, 1, at));
        let dtmf = heard(&mut |caller, out| caller.write_dtmf(key, out));
        prop_assert_eq!(server.text(&dtmf), Ok(Event::Dtmf { digit: key }));
        let mark = heard(&mut |caller, out| caller.write_mark(&name, out));
        prop_assert_eq!(server.text(&mark), Ok(Event::Mark { name: name.as_str().into() }));
        let mut out = Vec::new();
        prop_assert!(server.write_media(&audio, &mut out));
        let text = str::from_utf8(&out).unwrap();
        let Ok(Command::Media(payload)) = caller.text(text) else { panic!("{text}") };
        bytes.clear();
        prop_assert_eq!(payload.decode_onto(&mut bytes), Ok(audio.len()));
        prop_assert_eq!(&bytes, &audio);
        out.clear();
        prop_assert!(server.write_mark(&name, &mut out));
        prop_assert_eq!(caller.text(str::from_utf8(&out).unwrap()), Ok(Command::Mark(name.as_str().into())));
        out.clear();
        prop_assert!(server.write_clear(&mut out));
        prop_assert_eq!(caller.text(str::from_utf8(&out).unwrap()), Ok(Command::Clear));
        out.clear();
        caller.write_stop(&mut out);
        prop_assert_eq!(server.text(str::from_utf8(&out).unwrap()), Ok(Event::Stop));
        prop_assert_eq!((server.counters().gaps, server.counters().faults), (0, 0));
    }

    #[test]
    fn everything_queued_is_played_once_and_in_order(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..700), any::<bool>(), 0_usize..4), 0..30),
    ) {
        let mut playback = Playback::new();
        let (mut frame, mut marks) = ([0; FRAME_BYTES], Vec::new());
        let (mut sent, mut played, mut named, mut returned) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (at, (audio, mark, pulls)) in pieces.iter().enumerate() {
            playback.push_media(audio).unwrap();
            sent.extend_from_slice(audio);
            if *mark {
                named.push((at.to_string(), sent.len()));
                returned.extend(playback.push_mark(at.to_string()).unwrap().map(|name| (name, played.len())));
            }
            for _ in 0..*pulls {
                let before = played.len();
                let count = playback.pull(&mut frame, &mut marks);
                returned.extend(marks.drain(..).map(|name| (name, before)));
                played.extend_from_slice(&frame[..count]);
            }
        }
        while playback.is_playing() {
            let before = played.len();
            let count = playback.pull(&mut frame, &mut marks);
            returned.extend(marks.drain(..).map(|name| (name, before)));
            played.extend_from_slice(&frame[..count]);
        }
        prop_assert_eq!(played, sent);
        prop_assert_eq!(named.len(), returned.len());
        for ((name, behind), (other, heard)) in named.iter().zip(&returned) {
            prop_assert_eq!(name, other);
            prop_assert!(heard >= behind);
        }
    }
}

/// Media messages, plain ones and others: what stands in a text is not always what it means.
fn any_media() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("\"inbound\"".to_owned()),
        Just("\"7\"".to_owned()),
        Just("7".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"AB\\/D\"".to_owned()),
        Just("\"\\u0037\"".to_owned()),
        Just("\"a\tb\"".to_owned()),
        Just("null".to_owned()),
        Just("{\"a\":[1]}".to_owned()),
        Just(format!("\"{SID}\"")),
        Just("\"media\"".to_owned()),
        "\"[A-Za-z0-9+/]{0,8}={0,2}\"",
    ];
    let names = ["track", "chunk", "timestamp", "payload", "other"];
    let inner = prop::collection::vec((prop::sample::select(names.to_vec()), value.clone()), 0..5);
    let names = ["event", "sequenceNumber", "streamSid", "media", "other"];
    let usual = (Just("event"), Just("\"media\"".to_owned()));
    let outer = prop::collection::vec((prop::sample::select(names.to_vec()), value), 0..3);
    let space = prop::sample::select(vec!["", " ", "\n "]);
    (inner, outer, usual, space, any::<bool>(), 0..5_usize).prop_map(
        |(inner, mut outer, usual, space, is_usual, at)| {
            let object = |fields: &[(&str, String)]| {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            };
            outer.insert(at.min(outer.len()), ("media", object(&inner)));
            if is_usual {
                outer.insert(0, usual);
                outer.push(("streamSid", format!("\"{SID}\"")));
            }
            format!("{space}{}{space}", object(&outer))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_plain_message_means_what_it_means_to_a_reader_of_any_json(text in any_media()) {
        let (mut session, mut other) = (started(), started());
        let read = session.text(&text);
        prop_assert_eq!(&read, &other.any_text(&text), "{}", text);
        prop_assert_eq!(session.counters(), other.counters());
    }
}

#[test]
fn twilios_frames_are_plain() {
    for text in [
        r#"{ "event": "media", "sequenceNumber": "2", "media": { "track": "inbound", "chunk": "1", "timestamp": "5", "payload": "no+JhoaJjpzSHxAKBgYJ" }, "streamSid": "MZ1" }"#,
        r#"{"event":"media","sequenceNumber":"2","streamSid":"MZ1","media":{"payload":"no+J"}}"#,
    ] {
        assert!(plain::PlainMedia::read(text).is_some(), "{text}");
    }
    for text in [
        "",
        "{}",
        r#"{"event":"mark","media":{"payload":"no+J"}}"#,
        r#"{"event":"media","media":{"payload":"no\/J"}}"#,
        r#"{"event":"media","media":{"payload":"no+J"}}{}"#,
        r#"{"event":"media","media":{"payload":"no+J"},}"#,
        r#"{"event":"media","media":{"payload":"no+J"},"more":"x"}"#,
        r#"{"event":"media","event":"media","media":{"payload":"no+J"}}"#,
    ] {
        assert!(plain::PlainMedia::read(text).is_none(), "{text}");
    }
}
