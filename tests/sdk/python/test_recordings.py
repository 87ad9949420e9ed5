"""Recordings through the official SDK: begun on a live call, paused, ended, found, downloaded and listened to."""

import datetime
import time

import pytest
from twilio.base.exceptions import TwilioRestException

from telephone import download, eventually, finished, reached

TALKS = [
    {"say": "This is somebody who has a lot to say, and who goes on saying it, one two three four five."},
    {"say": "And there is more, six seven eight nine ten, until somebody hangs up on them at last."},
    {"wait_for_hang_up": {"timeout_ms": 30000}},
]
LOUD = 1000


@pytest.fixture
def live(call, telephones, voice, number):
    """A call that ticks, and somebody in it who talks."""
    telephones.answer(number, "script", steps=TALKS)
    made = call(url=voice.ticking())
    voice.next("/tick")
    return made


def completed(recording):
    return eventually("the recording is completed", lambda: (one := recording.fetch()).status == "completed" and one)


def test_a_live_call_is_recorded(live, client, voice, account):
    begun_at = time.monotonic()
    recording = live.recordings.create(
        recording_channels="dual",
        recording_status_callback=voice.url("/recording"),
        recording_status_callback_event=["in-progress", "completed"],
    )
    assert recording.sid.startswith("RE") and len(recording.sid) == 34
    assert (recording.call_sid, recording.account_sid) == (live.sid, account["TWILIO_ACCOUNT_SID"])
    assert (recording.status, recording.channels, recording.source) == ("in-progress", 2, "StartCallRecordingAPI")
    assert (recording.duration, recording.error_code, recording.track) == ("-1", None, "both")
    begun = voice.next("/recording")
    assert (begun["RecordingSid"], begun["CallSid"], begun["RecordingStatus"]) == (
        recording.sid,
        live.sid,
        "in-progress",
    )

    for _ in range(2):
        voice.next("/tick")
    assert recording.update(status="paused", pause_behavior="skip").status == "paused"
    for _ in range(2):
        voice.next("/tick")
    assert live.recordings("Twilio.CURRENT").update(status="in-progress").sid == recording.sid
    for _ in range(2):
        voice.next("/tick")
    assert recording.update(status="stopped").sid == recording.sid
    elapsed_s = time.monotonic() - begun_at
    done = completed(client.calls(live.sid).recordings(recording.sid))
    assert live.fetch().status == "in-progress", "the call goes on without it"

    told = voice.next("/recording")
    assert (told["RecordingSid"], told["RecordingStatus"]) == (recording.sid, "completed")
    assert (told["RecordingChannels"], told["RecordingTrack"]) == ("2", "both")
    assert (told["RecordingSource"], told["RecordingDuration"]) == ("StartCallRecordingAPI", done.duration)
    datetime.datetime.strptime(told["RecordingStartTime"], "%a, %d %b %Y %H:%M:%S %z")

    sound = download(told["RecordingUrl"], account)
    assert (sound.channels, sound.rate, sound.sample_bytes) == (2, 8000, 2)
    assert 2 <= sound.seconds <= elapsed_s - 1, "at least a second was skipped"
    assert int(done.duration) - 1 <= sound.seconds <= int(done.duration)
    quiet, loud = sorted(sound.peaks)
    assert loud > LOUD and quiet == 0, "one side talks and the other is silent"

    with pytest.raises(TwilioRestException) as refused:
        recording.update(status="paused")
    assert refused.value.status == 400


def test_a_silent_pause_stays_in_the_recording(live, client, voice, account):
    begun = time.monotonic()
    recording = live.recordings.create()
    assert (recording.channels, recording.status) == (1, "in-progress")
    assert recording.update(status="paused", pause_behavior="silence").status == "paused"
    for _ in range(3):
        voice.next("/tick")
    live.update(status="completed")
    done = completed(client.recordings(recording.sid))
    sound = download(done.media_url + ".wav", account)
    assert sound.channels == 1 and 2 <= sound.seconds <= time.monotonic() - begun


def test_recordings_are_listed_and_deleted(live, client, voice, account):
    sids = []
    for _ in range(3):
        recording = live.recordings.create(recording_track="inbound")
        voice.next("/tick")
        recording.update(status="stopped")
        sids.append(recording.sid)
    live.update(status="completed")
    newest_first = sids[::-1]
    assert [one.sid for one in client.calls(live.sid).recordings.list()] == newest_first
    assert [one.sid for one in client.recordings.list(call_sid=live.sid, page_size=1)] == newest_first
    assert [one.sid for one in client.recordings.list(limit=3)] == newest_first

    fetched = client.recordings(sids[0]).fetch()
    assert (fetched.call_sid, fetched.channels, fetched.status) == (live.sid, 1, "completed")
    assert fetched.uri == f"/2010-04-01/Accounts/{account['TWILIO_ACCOUNT_SID']}/Recordings/{fetched.sid}.json"
    assert download(fetched.media_url, account).peaks[0] > LOUD
    assert client.recordings(sids[0]).delete() is True
    with pytest.raises(TwilioRestException) as refused:
        client.recordings(sids[0]).fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)
    assert client.calls(live.sid).recordings(sids[1]).delete() is True
    assert [one.sid for one in client.recordings.list(call_sid=live.sid)] == [sids[2]]


def test_a_whole_call_is_recorded(call, client, telephones, voice, account, number):
    telephones.answer(number, "script", steps=TALKS)
    made = call(
        twiml='<Response><Pause length="2"/></Response>',
        record=True,
        recording_channels="dual",
        recording_status_callback=voice.url("/recording"),
        status_callback=voice.url("/status"),
    )
    done = finished(made)
    told = voice.next("/recording")
    assert (told["CallSid"], told["RecordingStatus"], told["RecordingSource"]) == (made.sid, "completed", "OutboundAPI")
    ended = voice.next("/status")
    assert (ended["CallStatus"], ended["RecordingSid"]) == ("completed", told["RecordingSid"])
    assert (ended["RecordingUrl"], ended["RecordingDuration"]) == (told["RecordingUrl"], told["RecordingDuration"])
    sound = download(told["RecordingUrl"] + ".wav", account)
    assert sound.channels == 2 and 1.5 <= sound.seconds <= int(done.duration) + 0.5


def test_a_call_that_is_not_up_is_not_recorded(call, telephones, number):
    telephones.answer(number, "no_answer")
    ringing = call(twiml="<Response/>")
    reached(ringing, "ringing")
    with pytest.raises(TwilioRestException) as refused:
        ringing.recordings.create()
    assert (refused.value.status, refused.value.code) == (400, 21220)
    ringing.update(status="completed")
    assert finished(ringing).status == "canceled"
    assert ringing.recordings.list() == []
