"""Real-time transcription of a live call through the official SDK."""

import json

import pytest
from twilio.base.exceptions import TwilioRestException

from telephone import finished

WORDS = "the weather is fine today"
HINTS = f"{WORDS},i would like to book a table,good bye"


def test_what_is_said_is_told(call, client, telephones, voice, account, number):
    steps = [{"wait_for_speech": {}}, {"say": WORDS}, {"wait_for_hang_up": {"timeout_ms": 30000}}]
    telephones.answer(number, "script", steps=steps)
    voice.document(
        "/talk", f"<Response><Say>I would like to book a table.</Say><Redirect>{voice.ticking()}</Redirect></Response>"
    )
    made = call(url=voice.ticking("/before"))
    voice.next("/before")
    transcription = made.transcriptions.create(
        name="notes", track="both_tracks", status_callback_url=voice.url("/words"), language_code="en-US", hints=HINTS
    )
    assert transcription.sid.startswith("GT") and len(transcription.sid) == 34
    assert (transcription.name, transcription.status) == ("notes", "in-progress")
    assert (transcription.call_sid, transcription.account_sid) == (made.sid, account["TWILIO_ACCOUNT_SID"])
    made.update(url=voice.url("/talk"))

    told = [voice.next("/words") for _ in range(3)]
    for one in told:
        assert (one["CallSid"], one["TranscriptionSid"]) == (made.sid, transcription.sid)
        assert one["AccountSid"] == account["TWILIO_ACCOUNT_SID"]
    assert [one["TranscriptionEvent"] for one in told] == ["transcription-started"] + ["transcription-content"] * 2
    assert (told[0]["LanguageCode"], told[0]["Track"]) == ("en-US", "both_tracks")
    said = {one["Track"]: json.loads(one["TranscriptionData"]) for one in told[1:]}
    assert said["outbound_track"]["transcript"] == "i would like to book a table"
    assert said["inbound_track"]["transcript"] == WORDS
    assert 0 < said["inbound_track"]["confidence"] <= 1
    assert [one["Final"] for one in told[1:]] == ["true", "true"]
    order = [int(one["SequenceId"]) for one in told]
    assert order == sorted(set(order))

    stopped = client.calls(made.sid).transcriptions("notes").update(status="stopped")
    assert (stopped.sid, stopped.status) == (transcription.sid, "stopped")
    assert voice.next("/words")["TranscriptionEvent"] == "transcription-stopped"
    with pytest.raises(TwilioRestException) as refused:
        client.calls(made.sid).transcriptions("notes").update(status="stopped")
    assert (refused.value.status, refused.value.code) == (404, 20404)


def test_a_call_that_is_over_is_not_transcribed(call):
    made = finished(call(twiml="<Response><Hangup/></Response>"))
    with pytest.raises(TwilioRestException) as refused:
        made.transcriptions.create(hints=HINTS)
    assert (refused.value.status, refused.value.code) == (400, 21220)
