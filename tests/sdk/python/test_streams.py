"""Streams of a live call through the official SDK: begun, followed by a server, stopped."""

import base64

import pytest
from twilio.base.exceptions import TwilioRestException

from telephone import SocketServer, eventually

TALKS = [{"say": "One two three four five six seven eight nine ten."}, {"wait_for_hang_up": {"timeout_ms": 30000}}]
SILENCE = b"\xff"


@pytest.fixture
def listener(account):
    server = SocketServer(account["TWILIO_AUTH_TOKEN"])
    yield server
    server.close()


@pytest.fixture
def live(call, telephones, voice, number):
    telephones.answer(number, "script", steps=TALKS)
    made = call(url=voice.ticking())
    voice.next("/tick")
    return made


def test_a_stream_is_begun_and_stopped(live, client, listener, voice, account):
    stream = live.streams.create(
        url=listener.url,
        name="ear",
        track="both_tracks",
        parameter1_name="language",
        parameter1_value="čeština & more",
        parameter2_name="customer",
        parameter2_value="4711",
        status_callback=voice.url("/stream"),
    )
    assert stream.sid.startswith("MZ") and len(stream.sid) == 34
    assert (stream.name, stream.status, stream.call_sid) == ("ear", "in-progress", live.sid)
    told = voice.next("/stream")
    assert (told["StreamEvent"], told["StreamSid"], told["StreamName"]) == ("stream-started", stream.sid, "ear")
    assert (told["CallSid"], told["AccountSid"]) == (live.sid, account["TWILIO_ACCOUNT_SID"])

    listener.opened()
    assert listener.next() == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert listener.next() == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": stream.sid,
        "start": {
            "accountSid": account["TWILIO_ACCOUNT_SID"],
            "streamSid": stream.sid,
            "callSid": live.sid,
            "tracks": ["inbound", "outbound"],
            "customParameters": {"language": "čeština & more", "customer": "4711"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    }
    voice.next("/tick")
    stopped = client.calls(live.sid).streams("ear").update(status="stopped")
    assert (stopped.sid, stopped.status) == (stream.sid, "stopped")
    told = voice.next("/stream")
    assert (told["StreamEvent"], told["StreamSid"]) == ("stream-stopped", stream.sid)
    assert live.fetch().status == "in-progress", "the call goes on without it"

    messages = []
    while (message := listener.next()) is not None:
        messages.append(message)
    stop = messages.pop()
    assert stop["event"] == "stop"
    assert stop["stop"] == {"accountSid": account["TWILIO_ACCOUNT_SID"], "callSid": live.sid}
    assert [message["sequenceNumber"] for message in [*messages, stop]] == [
        str(number) for number in range(2, len(messages) + 3)
    ]
    assert {message["event"] for message in messages} == {"media"}
    for track in ("inbound", "outbound"):
        frames = [message["media"] for message in messages if message["media"]["track"] == track]
        assert len(frames) >= 40, "a second is fifty frames"
        assert [frame["chunk"] for frame in frames] == [str(number) for number in range(1, len(frames) + 1)]
        assert [frame["timestamp"] for frame in frames] == [str(20 * number) for number in range(len(frames))]
        sound = b"".join(base64.b64decode(frame["payload"]) for frame in frames)
        assert len(sound) == 160 * len(frames)
        assert (sound.strip(SILENCE) != b"") == (track == "inbound"), "the phone talks, the document is silent"


def test_a_stream_without_a_name_has_its_sid_for_one(live, listener, voice):
    stream = live.streams.create(url=listener.url, status_callback=voice.url("/stream"), status_callback_method="GET")
    assert stream.name == stream.sid
    assert voice.next("/stream", "GET")["StreamName"] == stream.sid
    live.update(status="completed")
    assert voice.next("/stream", "GET")["StreamEvent"] == "stream-stopped"


def test_a_stream_to_nobody_fails_and_the_call_goes_on(live, client, voice):
    live.streams.create(url="ws://127.0.0.1:9/stream", name="nobody", status_callback=voice.url("/stream"))
    told = voice.next("/stream")
    assert (told["StreamEvent"], told["StreamError"], told["StreamName"]) == ("stream-error", "31902", "nobody")
    notes = eventually("it is noted", lambda: client.calls(live.sid).notifications.list())
    assert [note.error_code for note in notes] == ["31902"]
    assert live.fetch().status == "in-progress"


def test_what_cannot_be_streamed(live, client):
    def refusal(work):
        with pytest.raises(TwilioRestException) as refused:
            work()
        return refused.value.status, refused.value.code

    assert refusal(lambda: live.streams("nothing of that name").update(status="stopped")) == (404, 20404)
    assert refusal(lambda: live.streams.create(url="wss://example.com/stream", track="sideways"))[0] == 400
    live.update(status="completed")
    assert refusal(lambda: live.streams.create(url="wss://example.com/stream"))[0] == 400
