//! Documents as Twilio's pages show them, round trips, and what is refused.

use proptest::prelude::*;

use super::*;

fn parsed(body: &str) -> Parsed {
    Response::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error} in {body}"))
}

fn verbs(body: &str) -> Vec<Verb> {
    let parsed = parsed(body);
    assert_eq!(parsed.warnings, []);
    parsed.response.verbs
}

#[test]
fn documents_of_the_pages_are_read() {
    let found = verbs(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <Response>
            <!-- a comment -->
            <Gather input="dtmf speech" timeout="3" numDigits="1" finishOnKey="" hints="yes, no" action="/menu">
                <Say voice="alice" language="en-GB">Press  1
                    or say yes.</Say>
                <Pause length="2"/>
                <Play>https://example.com/tone.wav?a=1&amp;b=2</Play>
            </Gather>
            <Dial timeout="10" callerId="+15550001111" record="record-from-answer-dual">+15550002222</Dial>
            <Redirect method="GET"> https://example.com/next </Redirect>
            <Hangup/>
        </Response>"#,
    );
    let Verb::Gather(gather) = &found[0] else { panic!("{found:?}") };
    assert_eq!(gather.input, Some(GatherInput::DtmfSpeech));
    assert_eq!((gather.timeout, gather.num_digits, gather.finish_on_key.as_deref()), (Some(3), Some(1), Some("")));
    let Prompt::Say(say) = &gather.prompts[0] else { panic!("{gather:?}") };
    assert_eq!((say.speech.plain(), say.speech.markup()), ("Press 1 or say yes.", None));
    let Prompt::Play(play) = &gather.prompts[2] else { panic!("{gather:?}") };
    assert_eq!(play.url, "https://example.com/tone.wav?a=1&b=2");
    let Verb::Dial(dial) = &found[1] else { panic!("{found:?}") };
    let number = Number { number: "+15550002222".to_owned(), ..Number::default() };
    assert_eq!(dial.targets, [DialTarget::Number(number)]);
    assert_eq!(
        found[2],
        Verb::Redirect(Redirect { method: Some(HttpMethod::Get), url: "https://example.com/next".into() })
    );
    assert_eq!(found[3], Verb::Hangup);
    assert_eq!(verbs("<Response/>"), []);
}

#[test]
fn streams_have_parameters() {
    let body = r#"<Response><Start><Stream name="one" url="wss://example.com/a" track="both_tracks"
        statusCallback="https://example.com/s"><Parameter name="FirstName" value="Jane"/></Stream></Start>
        <Stop><Stream name="one"/></Stop></Response>"#;
    let found = verbs(body);
    let Verb::Start(Start { target: StartTarget::Stream(stream), .. }) = &found[0] else { panic!("{found:?}") };
    assert_eq!(stream.track, Some(Track::Both));
    assert_eq!(stream.parameters, [Parameter::new("FirstName", "Jane")]);
    assert_eq!(found[1], Verb::Stop(Stop { target: StopTarget::Stream(Some("one".to_owned())) }));
}

#[test]
fn conversation_relay_is_read_in_both_casings_and_written_in_one() {
    let body = |ignore: &str, timeout: &str| {
        format!(
            "<Response><Connect action=\"/after\"><ConversationRelay url=\"wss://example.com/r\" interruptible=\"true\" \
             {ignore}=\"true\" {timeout}=\"700\"><Language code=\"sv-SE\" voice=\"a\"/>\
             <Parameter name=\"a\" value=\"b\"/></ConversationRelay></Connect></Response>"
        )
    };
    let camel = verbs(&body("ignoreBackchannel", "speechTimeout"));
    assert_eq!(verbs(&body("ignorebackchannel", "speechtimeout")), camel);
    let Verb::Connect(Connect { target: ConnectTarget::ConversationRelay(relay), .. }) = &camel[0] else {
        panic!("{camel:?}")
    };
    assert_eq!(relay.interruptible, Some(Interruptible::Any));
    assert_eq!(relay.speech_timeout, Some(SpeechTimeout::After(700)));
    let written = Response { verbs: camel.clone() }.to_xml();
    assert!(written.contains(" interruptible=\"any\" ignoreBackchannel=\"true\" speechTimeout=\"700\""), "{written}");
}

#[test]
fn markup_is_kept_beside_the_words() {
    let body = "<Response><Say>Hi <emphasis level=\"strong\">there &amp; <break time=\"1s\"/></emphasis>\
        <lang xml:lang=\"fr-FR\">salut</lang></Say></Response>";
    let found = verbs(body);
    let Verb::Say(say) = &found[0] else { panic!("{found:?}") };
    assert_eq!(say.speech.plain(), "Hi there & salut");
    assert_eq!(
        say.speech.markup(),
        Some(
            "Hi <emphasis level=\"strong\">there &amp; <break time=\"1s\"></break></emphasis>\
             <lang xml:lang=\"fr-FR\">salut</lang>"
        )
    );
    assert_eq!(verbs(&Response { verbs: found.clone() }.to_xml()), found);
    assert_eq!(Speech::ssml("a <b").unwrap_err().code(), "proto.twiml.not_xml");
}

#[test]
fn what_means_nothing_is_listed_and_left_out() {
    let found =
        parsed("<Response>\n<Say Voice=\"x\" loop=\"many\" voice=\"y\">a</Say><Pause length=\"-1\"/></Response>");
    assert_eq!(found.response.verbs[0], Verb::Say(Say { voice: Some("y".to_owned()), ..Say::text("a") }));
    let kinds: Vec<_> = found.warnings.iter().map(|warning| (warning.kind, warning.element, warning.line)).collect();
    assert_eq!(
        kinds,
        [
            (WarningKind::UnknownAttribute, "Say", 2),
            (WarningKind::BadValue("loop"), "Say", 2),
            (WarningKind::BadValue("length"), "Pause", 2)
        ]
    );
    let many = (0..200).map(|number| format!(" a{number}=\"\"")).collect::<Vec<_>>().concat();
    assert_eq!(parsed(&format!("<Response><Say{many}>a</Say></Response>")).warnings.len(), MAX_WARNINGS);
}

#[test]
fn what_cannot_be_carried_out_is_refused() {
    let check = |body: &str, code: &str, twilio: u32| {
        let error = Response::parse(body.as_bytes()).unwrap_err();
        assert_eq!((error.code(), error.twilio_code()), (code, twilio), "{body:.60} gives {error}");
    };
    check("", "proto.twiml.not_xml", 12100);
    check("hello", "proto.twiml.not_xml", 12100);
    check("<Response><Say>a</Response>", "proto.twiml.not_xml", 12100);
    check("<!DOCTYPE a [<!ENTITY b \"c\">]><Response/>", "proto.twiml.not_xml", 12100);
    check("<response/>", "proto.twiml.not_twiml", 12100);
    check("<Response><say>a</say></Response>", "proto.twiml.unknown_element", 12100);
    check("<Response><Gather><Dial/></Gather></Response>", "proto.twiml.unknown_element", 12100);
    check("<Response><Connect/></Response>", "proto.twiml.missing", 12100);
    check("<Response><Dial/></Response>", "proto.twiml.missing", 12100);
    check("<Response><Play/></Response>", "proto.twiml.missing", 12100);
    check(&format!("<Response>{}</Response>", "<Hangup/>".repeat(MAX_ELEMENTS)), "proto.twiml.too_many_verbs", 12100);
    let nested = format!("<Response><Say>{}{}</Say></Response>", "<p>".repeat(MAX_DEPTH), "</p>".repeat(MAX_DEPTH));
    check(&nested, "proto.twiml.too_deep", 12100);
    check(&format!("<Response>{}</Response>", " ".repeat(MAX_DOCUMENT_BYTES)), "proto.twiml.too_long", 11750);
    let error = Response::parse(b"<Response>\n<Secret/></Response>").unwrap_err();
    assert_eq!(error.to_string(), "an element is unknown inside <Response> (line 2)");
    assert_eq!(Response::parse(b"<Response>\xff</Response>").unwrap_err().code(), "proto.twiml.not_xml");
}

#[test]
fn characters_that_xml_cannot_hold_are_replaced() {
    let xml = Response::new().with(Verb::Say(Say::text("a\0b"))).to_xml();
    assert!(xml.contains("<Say>a\u{fffd}b</Say>"), "{xml}");
}

fn value() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[ -~\u{e9}\u{1f600}\n\t\r]{0,12}")
}

fn content() -> impl Strategy<Value = String> {
    "[!-~\u{e9}\u{1f600}]{1,12}"
}

fn say() -> impl Strategy<Value = Say> {
    (value(), value(), proptest::option::of(0_u32..5), "[ -~\u{e9}\n]{0,30}")
        .prop_map(|(voice, language, repeat, text)| Say { voice, language, repeat, speech: Speech::text(&text) })
}

fn stream() -> impl Strategy<Value = Stream> {
    let parameters = proptest::collection::vec((content(), content()), 0..3);
    (value(), value(), proptest::sample::select(Track::ALL), parameters).prop_map(|(name, url, track, parameters)| {
        let parameters = parameters.into_iter().map(|(name, value)| Parameter::new(name, value)).collect();
        Stream { name, url, track: Some(track), parameters, ..Stream::default() }
    })
}

fn verb() -> impl Strategy<Value = Verb> {
    let gather = (proptest::sample::select(GatherInput::ALL), value(), proptest::collection::vec(say(), 0..3));
    prop_oneof![
        say().prop_map(Verb::Say),
        content().prop_map(|url| Verb::Play(Play::url(url))),
        content().prop_map(|url| Verb::Redirect(Redirect::to(url))),
        content().prop_map(|number| Verb::Dial(Dial::number(number))),
        Just(Verb::Hangup),
        Just(Verb::Reject(Reject { reason: Some("busy".to_owned()) })),
        stream().prop_map(|stream| Verb::Connect(Connect::to(stream))),
        (stream(), value()).prop_map(|(stream, action)| Verb::Start(Start {
            action,
            method: Some(HttpMethod::Get),
            target: StartTarget::Stream(stream)
        })),
        (value(), value(), proptest::bool::ANY).prop_map(|(url, hints, dtmf)| {
            let relay = ConversationRelay { url, hints, dtmf_detection: Some(dtmf), ..ConversationRelay::default() };
            Verb::Connect(Connect::to(relay))
        }),
        gather.prop_map(|(input, hints, prompts)| {
            let prompts = prompts.into_iter().map(Prompt::Say).collect();
            Verb::Gather(Gather { input: Some(input), hints, prompts, ..Gather::default() })
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(verbs in proptest::collection::vec(verb(), 0..6)) {
        let response = Response { verbs };
        let xml = response.to_xml();
        let parsed = Response::parse(xml.as_bytes()).unwrap();
        prop_assert_eq!(parsed.warnings, []);
        prop_assert_eq!(parsed.response, response);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(<|>|/|Response|Say|Dial|&|amp;|\"|=| |a|\\[|!){0,40}") {
        let _either = Response::parse(text.as_bytes()).is_ok();
    }
}
