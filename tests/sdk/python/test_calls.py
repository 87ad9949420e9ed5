"""Calls through the official SDK: placed, followed, redirected, ended, listed and deleted."""

import datetime
import re

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from emulator import LocalHttpClient
from telephone import finished, reached

A_MOMENT = '<Response><Pause length="1"/></Response>'
A_WHILE = '<Response><Pause length="30"/></Response>'
UNKNOWN = "CA" + "f" * 32


def refusal(work):
    with pytest.raises(TwilioRestException) as refused:
        work()
    return refused.value.status, refused.value.code


def test_a_call_with_a_document_of_its_own(call, client, account, own_number, number):
    made = call(twiml=A_MOMENT)
    assert re.fullmatch("CA[0-9a-f]{32}", made.sid)
    assert (made.to, made._from, made.account_sid) == (number, own_number, account["TWILIO_ACCOUNT_SID"])
    assert (made.to_formatted, made.from_formatted) == (f"({number[2:5]}) {number[5:8]}-{number[8:]}", "(555) 765-4321")
    assert (made.status, made.direction, made.api_version) == ("queued", "outbound-api", "2010-04-01")
    assert (made.end_time, made.duration, made.price, made.price_unit) == (None, None, None, "USD")
    assert (made.answered_by, made.parent_call_sid, made.forwarded_from) == (None, None, None)
    assert made.uri == f"/2010-04-01/Accounts/{made.account_sid}/Calls/{made.sid}.json"
    assert made.subresource_uris["recordings"] == made.uri.replace(".json", "/Recordings.json")
    assert set(made.subresource_uris) == {
        "notifications",
        "recordings",
        "payments",
        "events",
        "siprec",
        "streams",
        "transcriptions",
        "user_defined_message_subscriptions",
        "user_defined_messages",
    }
    assert abs(datetime.datetime.now(datetime.UTC) - made.date_created) < datetime.timedelta(minutes=1)

    assert reached(made, "in-progress").end_time is None
    done = finished(client.calls(made.sid))
    assert (done.status, done.sid) == ("completed", made.sid)
    assert done.duration in ("1", "2"), "the document pauses for a second"
    assert datetime.timedelta(0) <= done.end_time - done.start_time <= datetime.timedelta(seconds=3)
    assert client.calls(made.sid).notifications.list() == []


def test_a_call_asks_for_its_document(call, voice, client, account, own_number, number):
    made = call(url=voice.document("/voice", A_MOMENT))
    asked = voice.next("/voice")
    assert (asked["CallSid"], asked["AccountSid"]) == (made.sid, account["TWILIO_ACCOUNT_SID"])
    assert (asked["From"], asked["To"], asked["Caller"], asked["Called"]) == (own_number, number, own_number, number)
    assert (asked["CallStatus"], asked["Direction"]) == ("in-progress", "outbound-api")
    assert (asked["ApiVersion"], asked["ToCountry"]) == ("2010-04-01", "US")
    assert finished(made).status == "completed"

    made = call(url=voice.url("/voice") + "?for=Ad%C3%A8le", method="GET")
    asked = voice.next("/voice", "GET")
    assert (asked["CallSid"], asked["for"]) == (made.sid, "Adèle")


def test_a_url_and_a_document_exclude_each_other(call, voice, client):
    made = call(url=voice.document("/voice", "<Response><Hangup/></Response>"), twiml=A_WHILE)
    assert voice.next("/voice")["CallSid"] == made.sid, "at first the document is ignored"
    assert finished(made).status == "completed"
    made = call(url=voice.ticking())
    voice.next("/tick")
    assert refusal(lambda: client.calls(made.sid).update(url=voice.url("/voice"), twiml=A_MOMENT))[0] == 400
    assert voice.next("/tick")["CallSid"] == made.sid, "the call goes on as it was"
    too_long = f"<Response><Say>{'word ' * 800}</Say></Response>"
    assert refusal(lambda: call(twiml=too_long))[0] == 400


def test_a_document_that_cannot_be_had_is_replaced(call, voice, client):
    broken = voice.document("/broken", 503)
    made = call(url=broken, fallback_url=voice.document("/fallback", "<Response><Hangup/></Response>"))
    voice.next("/broken")
    asked = voice.next("/fallback")
    assert (asked["CallSid"], asked["ErrorCode"], asked["ErrorUrl"]) == (made.sid, "11200", broken)
    assert finished(made).status == "completed"
    (note,) = client.calls(made.sid).notifications.list()
    assert (note.error_code, note.log, note.call_sid) == ("11200", "0", made.sid)
    assert note.more_info.endswith("/11200")

    # Without another document an apology is spoken, and that is the end.
    made = call(url=voice.document("/broken", "<Response><Say>never closed</Response>"))
    assert finished(made).status == "completed"
    assert [note.error_code for note in client.calls(made.sid).notifications.list()] == ["12100"]


def test_a_call_is_redirected_and_then_ended(call, voice, client, telephones, number):
    heard = {"wait_for_speech": {"timeout_ms": 20000, "expect": ["good morning", "good night", "see you tomorrow"]}}
    telephones.answer(number, "script", steps=[heard, heard, {"wait_for_hang_up": {"timeout_ms": 20000}}])
    made = call(url=voice.ticking())
    voice.next("/tick")
    voice.document("/then", f"<Response><Say>Good night</Say><Redirect>{voice.ticking('/after')}</Redirect></Response>")
    inline = f"<Response><Say>Good morning</Say><Pause length='2'/><Redirect>{voice.url('/then')}</Redirect></Response>"
    assert made.update(twiml=inline).status == "in-progress"
    assert voice.next("/then")["CallStatus"] == "in-progress"
    # A second of silence, and then the person has heard it all.
    assert [voice.next("/after")["CallSid"] for _ in range(2)] == [made.sid] * 2
    updated = client.calls(made.sid).update(url=voice.ticking("/elsewhere"), method="GET")
    assert (updated.sid, updated.status) == (made.sid, "in-progress")
    voice.next("/elsewhere", "GET")
    ended = made.update(status="completed")
    assert (ended.sid, ended.status) == (made.sid, "completed")
    assert finished(made).end_time is not None
    assert telephones.heard(made.sid) == ["good morning", "good night"]


def test_a_ringing_call_is_canceled(call, telephones, voice, number):
    telephones.answer(number, "no_answer")
    made = call(
        twiml=A_WHILE,
        status_callback=voice.url("/status"),
        status_callback_event=["initiated", "ringing", "answered", "completed"],
    )
    reached(made, "ringing")
    assert made.update(status="canceled").status == "canceled"
    done = finished(made)
    assert (done.status, done.duration) == ("canceled", "0")
    told = [voice.next("/status") for _ in range(3)]
    assert [one["CallStatus"] for one in told] == ["initiated", "ringing", "canceled"]
    assert told[-1]["SipResponseCode"] == "487"
    # What was answered is not canceled any more; it goes on.
    telephones.answer(number, "answer")
    made = call(twiml=A_WHILE)
    reached(made, "in-progress")
    assert made.update(status="canceled").status == "in-progress"
    assert made.update(status="completed").status == "completed"


@pytest.mark.parametrize(
    ("rule", "status", "code"), [("busy", "busy", "486"), ("reject", "busy", "603"), ("no_answer", "no-answer", "487")]
)
def test_who_does_not_answer(call, telephones, voice, number, rule, status, code):
    telephones.answer(number, rule)
    made = call(twiml=A_WHILE, timeout=1, status_callback=voice.url("/status"))
    done = finished(made)
    assert (done.status, done.duration, done.answered_by) == (status, "0", None)
    told = voice.next("/status")
    assert (told["CallStatus"], told["CallDuration"], told["Duration"]) == (status, "0", "0")
    assert (told["SequenceNumber"], told["SipResponseCode"]) == ("0", code)


def test_status_callbacks_come_in_order(call, voice, account, own_number, number):
    made = call(
        twiml=A_MOMENT,
        status_callback=voice.url("/status") + "?order=47%2F11",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
        status_callback_method="POST",
    )
    told = [voice.next("/status") for _ in range(4)]
    assert [one["CallStatus"] for one in told] == ["initiated", "ringing", "in-progress", "completed"]
    assert [one["SequenceNumber"] for one in told] == ["0", "1", "2", "3"]
    for one in told:
        assert (one["CallSid"], one["AccountSid"]) == (made.sid, account["TWILIO_ACCOUNT_SID"])
        assert (one["From"], one["To"], one["Direction"]) == (own_number, number, "outbound-api")
        assert one["CallbackSource"] == "call-progress-events"
        at = datetime.datetime.strptime(one["Timestamp"], "%a, %d %b %Y %H:%M:%S %z")
        assert abs(datetime.datetime.now(datetime.UTC) - at) < datetime.timedelta(minutes=1)
        assert ("CallDuration" in one) == (one["CallStatus"] == "completed")
    assert told[-1]["CallDuration"] in ("1", "2") and told[-1]["Duration"] == "1"

    made = call(twiml=A_MOMENT, status_callback=voice.url("/only"), status_callback_event=["answered"])
    assert finished(made).status == "completed"
    assert (voice.next("/only")["CallStatus"], voice.nothing_at("/only")) == ("in-progress", True)
    made = call(twiml=A_MOMENT, status_callback=voice.url("/got"), status_callback_method="GET")
    told = voice.next("/got", "GET")
    assert (told["CallSid"], told["CallStatus"], told["SequenceNumber"]) == (made.sid, "completed", "0")


def test_calls_are_listed_page_by_page(call, client, telephones, number):
    telephones.answer(number, "busy")
    sids = [call(twiml=A_MOMENT).sid for _ in range(5)]
    for sid in sids:
        finished(client.calls(sid))
    newest_first = sids[::-1]
    before = client.http_client.requests
    assert [one.sid for one in client.calls.stream(to=number, page_size=2)] == newest_first
    assert client.http_client.requests - before == 3
    assert [one.sid for one in client.calls.list(to=number, limit=3)] == newest_first[:3]

    page = client.calls.page(to=number, page_size=2)
    assert [one.sid for one in page] == newest_first[:2]
    page = page.next_page()
    assert [one.sid for one in page] == newest_first[2:4]
    last = page.next_page()
    assert [one.sid for one in last] == newest_first[4:]
    assert last.next_page() is None
    assert [one.sid for one in page.previous_page()] == newest_first[:2]


def test_calls_are_found_by_what_they_are(call, client, telephones, own_number, number):
    telephones.answer(number, "busy")
    busy = finished(call(twiml=A_MOMENT))
    telephones.answer(number, "answer")
    talked = finished(call(twiml=A_MOMENT))
    live = reached(call(twiml=A_WHILE), "in-progress")

    def found(**filters):
        return [one.sid for one in client.calls.list(to=number, **filters)]

    assert found() == [live.sid, talked.sid, busy.sid]
    assert found(from_=own_number) == [live.sid, talked.sid, busy.sid]
    assert found(from_="+15550000000") == []
    assert found(status="completed") == [talked.sid]
    assert found(status="busy") == [busy.sid]
    assert found(status="in-progress") == [live.sid]
    assert found(parent_call_sid=talked.sid) == []
    second = datetime.timedelta(seconds=1)
    assert talked.sid in found(start_time_after=talked.start_time - second)
    assert found(start_time_before=talked.start_time - 60 * second) == []
    assert found(end_time_after=talked.end_time + 60 * second) == []
    assert found(end_time_before=talked.end_time + second, status="completed") == [talked.sid]
    assert talked.sid in found(start_time=talked.start_time.strftime("%Y-%m-%d"))
    assert found(start_time="2010-04-01") == []


def test_a_call_is_deleted_when_it_is_over(call, client):
    made = finished(call(twiml="<Response><Hangup/></Response>"))
    assert client.calls(made.sid).delete() is True
    assert refusal(client.calls(made.sid).fetch) == (404, 20404)
    assert refusal(client.calls(made.sid).delete) == (404, 20404)


def test_errors_have_twilios_codes(call, client, account, base_url, own_number):
    create = client.calls.create
    assert refusal(lambda: create(to="not a number", from_=own_number, twiml=A_MOMENT)) == (400, 21211)
    assert refusal(lambda: create(to="+15550001111", from_=own_number, url="mailto:someone")) == (400, 21205)
    assert refusal(lambda: create(to="+15550001111", from_="+15550009999", twiml=A_MOMENT)) == (400, 21210)
    assert refusal(client.calls(UNKNOWN).fetch) == (404, 20404)
    assert refusal(lambda: client.calls(UNKNOWN).update(status="completed")) == (404, 20404)
    assert refusal(client.recordings("RE" + "f" * 32).fetch) == (404, 20404)

    below = client.calls(UNKNOWN)
    assert refusal(below.recordings.create) == (404, 20404)
    assert refusal(lambda: below.streams.create(url="wss://example.com/stream")) == (404, 20404)

    over = finished(call(twiml="<Response/>"))
    assert refusal(lambda: over.update(twiml=A_MOMENT)) == (400, 21220)
    assert refusal(lambda: over.update(status="completed")) == (400, 21220)

    with pytest.raises(TwilioRestException) as refused:
        client.calls(UNKNOWN).fetch()
    assert UNKNOWN in refused.value.msg and refused.value.uri.endswith(f"/Calls/{UNKNOWN}.json")

    stranger = Client(account["TWILIO_ACCOUNT_SID"], "wrong", http_client=LocalHttpClient(base_url))
    assert refusal(lambda: stranger.calls.create(to="+15550001111", from_=own_number, twiml=A_MOMENT)) == (401, 20003)
    another = Client("AC" + "9" * 32, account["TWILIO_AUTH_TOKEN"], http_client=LocalHttpClient(base_url))
    assert refusal(another.calls(over.sid).fetch) == (401, 20003)
    by_key = Client(
        account["TWILIO_API_KEY"],
        account["TWILIO_API_SECRET"],
        account["TWILIO_ACCOUNT_SID"],
        http_client=LocalHttpClient(base_url),
    )
    assert by_key.calls(over.sid).fetch().status == "completed"


def test_keys_are_pressed_after_the_answer(call, telephones, number):
    telephones.answer(number, "script", steps=[{"wait_for_hang_up": {"timeout_ms": 20000}}])
    made = call(twiml=A_MOMENT, send_digits="w12#")
    assert finished(made).status == "completed"
    assert telephones.result(made.sid)["digits"] == "12#"
    assert refusal(lambda: call(twiml=A_MOMENT, send_digits="12x"))[0] == 400


def test_a_call_is_ended_at_its_limit(call):
    done = finished(call(twiml=A_WHILE, time_limit=1))
    assert done.status == "completed" and done.duration in ("1", "2")


def test_a_machine_is_told_from_a_person(call, client, telephones, voice, number):
    document = voice.document("/voice", "<Response><Hangup/></Response>")
    telephones.answer(number, "machine", greeting="Hello, nobody is at home.", beep=True)
    made = call(url=document, machine_detection="DetectMessageEnd")
    assert voice.next("/voice")["AnsweredBy"] == "machine_end_beep"
    assert finished(made).answered_by == "machine_end_beep"

    telephones.answer(number, "machine", greeting="Hello, nobody is at home.", beep=False)
    made = call(
        url=voice.ticking(),
        machine_detection="Enable",
        async_amd="true",
        async_amd_status_callback=voice.url("/amd"),
    )
    assert "AnsweredBy" not in voice.next("/tick"), "it does not wait for what is found out beside it"
    told = voice.next("/amd")
    assert (told["CallSid"], told["AnsweredBy"]) == (made.sid, "machine_start")
    assert int(told["MachineDetectionDuration"]) > 0
    assert client.calls(made.sid).fetch().answered_by == "machine_start"

    telephones.answer(number, "script", steps=[{"say": "Hello?"}, {"wait_for_hang_up": {"timeout_ms": 20000}}])
    call(url=document, machine_detection="Enable")
    assert voice.next("/voice")["AnsweredBy"] == "human"


def test_the_accounts_numbers(client, voice, own_number):
    (line,) = client.incoming_phone_numbers.list(phone_number=own_number)
    assert (line.phone_number, line.capabilities["voice"], line.voice_method) == (own_number, True, "POST")
    assert line.sid.startswith("PN") and line.sid in [one.sid for one in client.incoming_phone_numbers.list()]
    changed = line.update(voice_url=voice.url("/voice"), voice_method="GET", status_callback=voice.url("/status"))
    assert (changed.voice_url, changed.voice_method) == (voice.url("/voice"), "GET")
    fetched = client.incoming_phone_numbers(line.sid).fetch()
    assert (fetched.voice_url, fetched.status_callback) == (voice.url("/voice"), voice.url("/status"))
    cleared = line.update(voice_url="", voice_method="POST", status_callback="")
    assert (cleared.voice_url, cleared.status_callback) == ("", "")
    assert refusal(client.incoming_phone_numbers("PN" + "f" * 32).fetch) == (404, 20404)
