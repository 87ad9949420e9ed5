"""Applications that answer with documents of the SDK's own builder, and people who call them."""

import contextlib
import subprocess

import pytest
from twilio.twiml.voice_response import Connect, Dial, Gather, Start, Stop, VoiceResponse

from telephone import SocketServer, download, eventually, finished

TABLE = "a table for two"
HINTS = f"{TABLE}, opening hours, good bye"
HEARD = {"timeout_ms": 20000}
LISTENS = {"wait_for_hang_up": {"timeout_ms": 30000}}


def expect(*phrases):
    return {"wait_for_speech": HEARD | {"expect": list(phrases)}}


def document(*verbs):
    response = VoiceResponse()
    for verb in verbs:
        if callable(verb):
            verb(response)
        else:
            response.append(verb)
    return str(response)


@pytest.fixture
def line(client, voice, own_number):
    """Whoever calls the account's number gets these documents; the first is that of `/voice`."""
    (ours,) = client.incoming_phone_numbers.list(phone_number=own_number)

    def answer(*verbs, **more):
        ours.update(voice_url=voice.document("/voice", document(*verbs)), **more)

    yield answer
    ours.update(voice_url="", voice_fallback_url="", status_callback="")


@pytest.fixture
def sockets(account):
    """Makes WebSocket servers."""
    with contextlib.ExitStack() as opened:

        def serve(**arguments):
            return opened.enter_context(contextlib.closing(SocketServer(account["TWILIO_AUTH_TOKEN"], **arguments)))

        yield serve


def understood(client, sid):
    """Nothing was noted: neither an error nor an attribute that is not known."""
    assert [(note.error_code, note.message_text) for note in client.calls(sid).notifications.list()] == []


def test_speech_is_gathered(client, line, voice, telephones, own_number, number):
    gather = Gather(
        input="speech",
        action="/said",
        hints=HINTS,
        speech_timeout="auto",
        language="en-US",
        profanity_filter=False,
        speech_model="phone_call",
    )
    gather.say("What can I do for you?", voice="Polly.Joanna-Neural", language="en-US")
    line(gather, lambda response: response.redirect("/voice"))
    voice.document(
        "/said", document(lambda response: response.say("See you tonight"), lambda response: response.hangup())
    )
    question, answer = expect("what can i do for you", "good morning"), expect("see you tonight", "good morning")
    sid = telephones.dial(number, [question, {"say": TABLE}, answer, LISTENS])
    asked = voice.next("/voice")
    assert (asked["CallSid"], asked["From"], asked["To"]) == (sid, number, own_number)
    assert (asked["Direction"], asked["CallStatus"]) == ("inbound", "ringing")
    said = voice.next("/said")
    assert (said["CallSid"], said["SpeechResult"], said["CallStatus"]) == (sid, TABLE, "in-progress")
    assert 0 < float(said["Confidence"]) <= 1
    assert telephones.heard(sid) == ["what can i do for you", "see you tonight"]
    assert telephones.result(sid)["hung_up_by"] == "document"
    call = client.calls(sid).fetch()
    assert (call.status, call.direction, call.to) == ("completed", "inbound", own_number)
    understood(client, sid)


@pytest.mark.parametrize(
    ("attributes", "keys", "digits"),
    [
        ({"num_digits": 2}, "4711", "47"),
        ({"finish_on_key": "*"}, "12#3*", "12#3"),
        ({}, "815#", "815"),
        ({"timeout": 1}, "42", "42"),
        ({"input": "dtmf speech", "hints": HINTS, "num_digits": 1}, "7", "7"),
    ],
)
def test_digits_are_gathered(client, line, voice, telephones, number, attributes, keys, digits):
    gather = Gather(action="/pressed", method="GET", **attributes)
    gather.say("Please press something.")
    line(gather)
    # Long enough for those who go on pressing.
    voice.document("/pressed", document(lambda response: response.pause(length=2)))
    sid = telephones.dial(number, [{"wait_for_speech": HEARD}, {"digits": keys}, LISTENS])
    pressed = voice.next("/pressed", "GET")
    assert (pressed["CallSid"], pressed["Digits"]) == (sid, digits)
    assert "failed" not in telephones.result(sid)
    understood(client, sid)


def test_nothing_is_gathered(line, voice, telephones, number):
    line(
        Gather(input="dtmf", timeout=1, action="/pressed"),
        Gather(input="speech", hints=HINTS, timeout=1, action="/said", action_on_empty_result=True),
    )
    voice.document("/said", document(lambda response: response.reject()))
    sid = telephones.dial(number, [LISTENS])
    assert voice.next("/said").get("SpeechResult", "") == ""
    assert voice.nothing_at("/pressed")
    assert telephones.result(sid)["hung_up_by"] == "document"


def test_another_phone_is_dialled(client, line, voice, telephones, account, own_number, number):
    other = "+1777" + number[5:]
    steps = [expect("a caller for you"), {"say": "good evening"}, expect("how are you"), {"hang_up": True}]
    telephones.answer(other, "script", steps=steps)
    dial = Dial(
        action="/dialled",
        caller_id=own_number,
        timeout=10,
        time_limit=60,
        hangup_on_star=True,
        answer_on_bridge=True,
        record="record-from-answer-dual",
        recording_status_callback="/recording",
        recording_status_callback_event="completed",
    )
    events = "initiated ringing answered completed"
    dial.number(other, url="/whisper", status_callback="/leg", status_callback_event=events)
    line(dial)
    voice.document("/whisper", document(lambda response: response.say("A caller for you.")))
    voice.document("/dialled", document(lambda response: response.say("Good bye"), lambda response: response.hangup()))
    sid = telephones.dial(number, [expect("good evening"), {"say": "How are you?"}, expect("good bye"), LISTENS])

    whisper = voice.next("/whisper")
    assert (whisper["ParentCallSid"], whisper["To"], whisper["From"]) == (sid, other, own_number)
    legs = [voice.next("/leg") for _ in range(4)]
    assert [leg["CallStatus"] for leg in legs] == ["initiated", "ringing", "in-progress", "completed"]
    assert {(leg["CallSid"], leg["ParentCallSid"], leg["Direction"]) for leg in legs} == {
        (whisper["CallSid"], sid, "outbound-dial")
    }
    dialled = voice.next("/dialled")
    assert (dialled["CallSid"], dialled["DialCallSid"]) == (sid, whisper["CallSid"])
    assert dialled["DialCallStatus"] == "completed" and int(dialled["DialCallDuration"]) >= 1
    assert telephones.heard(sid) == ["good evening", "good bye"]
    assert telephones.heard(whisper["CallSid"]) == ["a caller for you", "how are you"]
    (leg,) = client.calls.list(parent_call_sid=sid)
    assert (leg.sid, leg.direction, leg.to, leg.status) == (whisper["CallSid"], "outbound-dial", other, "completed")

    told = voice.next("/recording")
    assert told["RecordingSource"] == "DialVerb"
    sound = download(told["RecordingUrl"], account)
    assert sound.channels == 2 and min(sound.peaks) > 1000, "both talk"
    understood(client, sid)


def test_keys_are_pressed_for_another_phone(line, voice, telephones, number):
    other = "+1777" + number[5:]
    telephones.answer(other, "script", steps=[{"pause_ms": 2500}, {"hang_up": True}])
    dial = Dial(action="/dialled")
    dial.number(other, send_digits="w1w23#")
    line(dial)
    voice.document("/dialled", document(lambda response: response.hangup()))
    telephones.dial(number, [LISTENS])
    dialled = voice.next("/dialled")
    assert telephones.result(dialled["DialCallSid"])["digits"] == "123#"


@pytest.mark.parametrize(("rule", "status"), [("busy", "busy"), ("no_answer", "no-answer")])
def test_the_other_phone_does_not_answer(line, voice, telephones, number, rule, status):
    other = "+1777" + number[5:]
    telephones.answer(other, rule)
    line(Dial(other, action="/dialled", timeout=1))
    voice.document("/dialled", document(lambda response: response.hangup()))
    sid = telephones.dial(number, [LISTENS])
    dialled = voice.next("/dialled")
    assert (dialled["DialCallStatus"], "DialCallDuration" in dialled) == (status, False)
    assert telephones.result(sid)["hung_up_by"] == "document"


def test_a_message_is_recorded(client, line, voice, telephones, account, number):
    line(
        lambda response: response.say("Nobody is at home. Leave a message."),
        lambda response: response.record(
            action="/recorded",
            max_length=20,
            timeout=3,
            finish_on_key="#",
            play_beep=True,
            trim="trim-silence",
            recording_status_callback="/recording",
            recording_status_callback_event="completed absent",
        ),
    )
    voice.document("/recorded", document(lambda response: response.hangup()))
    sid = telephones.dial(
        number,
        [{"wait_for_speech": HEARD}, {"pause_ms": 1500}, {"say": "Please call me back"}, {"digits": "#"}, LISTENS],
    )
    recorded = voice.next("/recorded")
    assert (recorded["CallSid"], recorded["Digits"]) == (sid, "#")
    told = voice.next("/recording")
    assert (told["RecordingSid"], told["RecordingUrl"]) == (recorded["RecordingSid"], recorded["RecordingUrl"])
    assert (told["RecordingSource"], told["RecordingDuration"]) == ("RecordVerb", recorded["RecordingDuration"])
    sound = download(recorded["RecordingUrl"], account)
    assert sound.channels == 1 and sound.peaks[0] > 1000 and sound.seconds <= int(recorded["RecordingDuration"])
    assert telephones.result(sid)["hung_up_by"] == "document"
    understood(client, sid)


def test_a_file_and_keys_are_played(client, line, voice, telephones, tmp_path, number):
    made = tmp_path / "afternoon.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", "good afternoon", "-o", str(made)], check=True, timeout=20)
    voice.file("/afternoon.wav", made.read_bytes())
    line(
        lambda response: response.play("/afternoon.wav", loop=2),
        lambda response: response.pause(length=2),
        lambda response: response.play(digits="12w#"),
        lambda response: response.pause(length=1),
        lambda response: response.redirect("/then?step=2&of=2", method="GET"),
    )
    voice.document("/then", document(lambda response: response.say("Good night")))
    twice = "good afternoon good afternoon"
    sid = telephones.dial(number, [expect("good afternoon", twice), {"wait_for_speech": HEARD}, LISTENS])
    then = voice.next("/then", "GET")
    assert (then["CallSid"], then["step"], then["of"]) == (sid, "2", "2")
    result = telephones.result(sid)
    assert result["digits"] == "12#"
    assert result["transcript"][0]["text"] in ("good afternoon", twice)
    understood(client, sid)


def test_a_call_is_rejected(client, line, voice, telephones, number):
    line(lambda response: response.reject(reason="busy"), status_callback=voice.url("/status"))
    sid = telephones.dial(number, [LISTENS])
    call = finished(client.calls(sid))
    assert (call.status, call.duration) == ("busy", "0")
    told = voice.next("/status")
    assert (told["CallSid"], told["CallStatus"], told["Direction"]) == (sid, "busy", "inbound")
    understood(client, sid)


def test_a_call_is_handed_to_a_stream(client, line, sockets, voice, telephones, number):
    def answer(message):
        return [SocketServer.CLOSE] if message["event"] == "dtmf" else []

    server = sockets(answer=answer)
    connect = Connect(action="/over")
    stream = connect.stream(url=server.url, name="agent", track="inbound_track", status_callback="/stream")
    stream.parameter(name="customer", value='4711 <&> "quoted"')
    line(connect)
    voice.document("/over", document(lambda response: response.say("Good night")))
    sid = telephones.dial(number, [{"pause_ms": 300}, {"digits": "5"}, expect("good night"), LISTENS])
    server.opened()
    start = server.next("start")["start"]
    assert (start["callSid"], start["tracks"]) == (sid, ["inbound"])
    assert start["customParameters"] == {"customer": '4711 <&> "quoted"'}
    assert server.next("dtmf")["dtmf"] == {"track": "inbound_track", "digit": "5"}
    assert voice.next("/over")["CallStatus"] == "in-progress"
    events = [voice.next("/stream") for _ in range(2)]
    assert [event["StreamEvent"] for event in events] == ["stream-started", "stream-stopped"]
    assert {event["StreamName"] for event in events} == {"agent"}
    assert telephones.heard(sid) == ["good night"]
    understood(client, sid)


def test_a_stream_runs_beside_a_document(client, line, sockets, voice, telephones, number):
    server = sockets()
    start, stop = Start(), Stop()
    start.stream(url=server.url, name="ear", track="both_tracks")
    stop.stream(name="ear")
    line(start, lambda response: response.pause(length=1), stop, lambda response: response.say("Good night"))
    sid = telephones.dial(number, [expect("good night"), LISTENS])
    server.opened()
    assert server.next("start")["start"]["tracks"] == ["inbound", "outbound"]
    assert server.next("stop")["stop"]["callSid"] == sid
    assert telephones.heard(sid) == ["good night"], "the document goes on without the stream"
    understood(client, sid)


def test_a_call_is_handed_to_a_relay(client, line, sockets, voice, telephones, account, number):
    def answer(message):
        match message["type"]:
            case "prompt" if message["last"]:
                return [
                    {"type": "text", "token": "Your table ", "last": False},
                    {"type": "text", "token": "is ready.", "last": True},
                ]
            case "dtmf":
                return [{"type": "end", "handoffData": '{"reason":"done"}'}]
            case _:
                return []

    server = sockets(answer=answer)
    connect = Connect(action="/over")
    relay = connect.conversation_relay(
        url=server.url,
        welcome_greeting="Welcome",
        welcome_greeting_interruptible="none",
        language="en-US",
        dtmf_detection=True,
        interruptible="speech",
        hints=HINTS,
    )
    relay.parameter(name="customer", value="4711")
    relay.language(code="en-US", tts_provider="google", voice="en-US-Standard-A")
    line(connect)
    voice.document("/over", document(lambda response: response.say("Good night")))
    welcome, ready, farewell = expect("welcome"), expect("your table is ready"), expect("good night")
    sid = telephones.dial(number, [welcome, {"say": TABLE}, ready, {"digits": "9"}, farewell, LISTENS])
    server.opened()
    setup = server.next("setup")
    assert (setup["callSid"], setup["accountSid"], setup["from"]) == (sid, account["TWILIO_ACCOUNT_SID"], number)
    assert setup["customParameters"] == {"customer": "4711"} and setup["sessionId"].startswith("VX")
    prompt = server.next("prompt")
    assert (prompt["voicePrompt"], prompt["lang"], prompt["last"]) == (TABLE, "en-US", True)
    assert server.next("dtmf")["digit"] == "9"
    over = voice.next("/over")
    assert (over["CallSid"], over["HandoffData"], over["SessionStatus"]) == (sid, '{"reason":"done"}', "ended")
    assert over["SessionId"] == setup["sessionId"] and int(over["SessionDuration"]) >= 0
    assert telephones.heard(sid) == ["welcome", "your table is ready", "good night"]
    understood(client, sid)


def test_the_numbers_fallback(client, line, voice, telephones, number):
    line(voice_fallback_url=voice.document("/fallback", document(lambda response: response.say("Good night"))))
    voice.document("/voice", 500)
    sid = telephones.dial(number, [expect("good night"), LISTENS])
    asked = voice.next("/fallback")
    assert (asked["CallSid"], asked["ErrorCode"], asked["ErrorUrl"]) == (sid, "11200", voice.url("/voice"))
    assert telephones.heard(sid) == ["good night"]
    notes = eventually("it is noted", lambda: client.calls(sid).notifications.list())
    assert [note.error_code for note in notes] == ["11200"]
