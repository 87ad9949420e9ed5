"""Programmable Messaging through the official SDK: every operation on messages, their files and their answers."""

from datetime import date, datetime, timedelta, timezone

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.twiml.messaging_response import MessagingResponse

from emulator import control
from telephone import eventually

PERSON = "+15550170001"


@pytest.fixture
def desk(client, voice, number):
    """Another number of the account, whose webhook is asked about messages."""
    bought = client.incoming_phone_numbers.create(phone_number=number, sms_url=voice.url("/sms"))
    yield bought
    client.incoming_phone_numbers(bought.sid).delete()


def settled(client, sid, status):
    def there():
        message = client.messages(sid).fetch()
        return message if message.status == status else None

    return eventually(f"the message is {status}", there)


def lines(base_url, phone):
    return control(base_url, "GET", f"/phones/{phone.replace('+', '%2B')}/messages")["messages"]


def text(base_url, to, body, person=PERSON):
    return control(base_url, "POST", "/messages", {"from": person, "to": to, "body": body})


def test_a_message_goes_out_and_tells_of_its_way(client, voice, own_number, number):
    sent = client.messages.create(to=number, from_=own_number, body="hello", status_callback=voice.url("/status"))
    assert (sent.status, sent.direction, sent.num_segments) == ("queued", "outbound-api", "1")
    assert [voice.next("/status")["MessageStatus"] for _ in range(2)] == ["sent", "delivered"]
    fetched = settled(client, sent.sid, "delivered")
    assert fetched.error_code is None
    assert abs(fetched.date_sent - datetime.now(timezone.utc)) < timedelta(minutes=1)


def test_messages_are_listed_by_who_and_when(client, own_number, number):
    sids = [client.messages.create(to=number, from_=own_number, body=f"message {at}").sid for at in range(5)]
    for sid in sids:
        settled(client, sid, "delivered")
    assert [one.sid for one in client.messages.stream(to=number, page_size=2)] == sids[::-1]
    assert [one.sid for one in client.messages.list(to=number, limit=3)] == sids[:1:-1]
    assert len(client.messages.list(to=number, date_sent=date.today())) == 5
    assert client.messages.list(to=number, date_sent_before=datetime(2020, 1, 1)) == []
    assert len(client.messages.list(to=number, date_sent_after=datetime(2020, 1, 1))) == 5
    assert client.messages.list(to=number, from_="+15550170009") == []


def test_a_message_is_redacted_and_deleted(client, own_number, number):
    sid = client.messages.create(to=number, from_=own_number, body="secret").sid
    settled(client, sid, "delivered")
    assert client.messages(sid).update(body="").body == ""
    assert client.messages(sid).feedback.create(outcome="confirmed").outcome == "confirmed"
    assert client.messages(sid).delete() is True
    with pytest.raises(TwilioRestException) as missing:
        client.messages(sid).fetch()
    assert missing.value.code == 20404


def test_a_scheduled_message_is_taken_back(client, base_url, number):
    service = control(base_url, "GET", "/account")["messaging_service_sid"]
    send_at = datetime.now(timezone.utc) + timedelta(hours=1)
    scheduled = {"to": number, "messaging_service_sid": service, "schedule_type": "fixed", "send_at": send_at}
    made = client.messages.create(body="later", **scheduled)
    assert (made.status, made.messaging_service_sid) == ("scheduled", service)
    assert client.messages(made.sid).update(status="canceled").status == "canceled"
    other = client.messages.create(body="goes out", **scheduled)
    control(base_url, "POST", "/clock", {"advance_ms": 3_700_000})
    settled(client, other.sid, "delivered")
    control(base_url, "POST", "/clock", {"set": None})
    assert [line["body"] for line in lines(base_url, number)] == ["goes out"]


def test_files_go_along(client, voice, own_number, number):
    voice.file("/picture", b"RIFF")
    sent = client.messages.create(to=number, from_=own_number, media_url=[voice.url("/picture")])
    assert sent.sid.startswith("MM") and sent.num_media == "1"
    [media] = client.messages(sent.sid).media.list()
    assert client.messages(sent.sid).media(media.sid).fetch().content_type == "audio/wav"
    assert client.messages(sent.sid).media(media.sid).delete() is True
    assert client.messages(sent.sid).media.list() == []


def test_segments_are_counted(client, own_number, number):
    def segments(body, **more):
        return client.messages.create(to=number, from_=own_number, body=body, **more).num_segments

    assert segments("a" * 160) == "1"
    assert segments("a" * 161) == "2"
    assert segments("ж" * 71) == "2"
    assert segments("\u2019" + "a" * 100) == "2"
    assert segments("\u2019" + "a" * 100, smart_encoded=True) == "1"


def test_a_document_answers_a_message(client, base_url, voice, desk):
    answer = MessagingResponse()
    answer.message("first")
    answer.redirect(voice.url("/more"))
    voice.document("/sms", answer)
    more = MessagingResponse()
    more.message("").body("second")
    voice.document("/more", more)
    person = "+15550170002"
    texted = text(base_url, desk.phone_number, "hello", person)
    asked = voice.next("/sms")
    assert (asked["MessageSid"], asked["Body"], asked["SmsStatus"]) == (texted["message_sid"], "hello", "received")
    eventually("both answers are there", lambda: len(lines(base_url, person)) == 3)
    seen = lines(base_url, person)
    assert [line["body"] for line in seen] == ["hello", "first", "second"]
    assert client.messages(texted["message_sid"]).fetch().direction == "inbound"
    assert {one.direction for one in client.messages.list(to=person)} == {"outbound-reply"}


def test_who_says_stop_gets_nothing_until_they_say_start(client, base_url, desk):
    person = "+15550170003"

    def send():
        return client.messages.create(to=person, from_=desk.phone_number, body="news")

    text(base_url, desk.phone_number, "STOP", person)
    with pytest.raises(TwilioRestException) as refused:
        send()
    assert (refused.value.status, refused.value.code) == (400, 21610)
    text(base_url, desk.phone_number, "start", person)
    settled(client, send().sid, "delivered")


@pytest.mark.parametrize(
    "rule, status, code",
    [("undelivered", "undelivered", 30003), ("failed", "failed", 30006), ("read", "read", None)],
)
def test_phones_decide_what_becomes_of_a_message(client, base_url, own_number, number, rule, status, code):
    receiving = {"rule": rule} if code is None else {"rule": rule, "error_code": code}
    control(base_url, "PUT", f"/phones/{number.replace('+', '%2B')}/receiving", receiving)
    sent = client.messages.create(to=number, from_=own_number, body="hello")
    assert settled(client, sent.sid, status).error_code == code


def test_whatsapp_has_its_window(client, base_url, own_number, number):
    whatsapp = {"to": f"whatsapp:{number}", "from_": f"whatsapp:{own_number}"}
    cold = client.messages.create(body="hello?", **whatsapp)
    assert settled(client, cold.sid, "failed").error_code == 63016
    control(base_url, "POST", "/messages", {"from": number, "body": "hi", "channel": "whatsapp"})
    warm = client.messages.create(body="hello", **whatsapp)
    assert settled(client, warm.sid, "delivered").error_code is None


def test_numbers_are_bought_and_given_back(client, number):
    bought = client.incoming_phone_numbers.create(phone_number=number, friendly_name="Desk")
    changed = client.incoming_phone_numbers(bought.sid).update(sms_url="http://127.0.0.1:9/", sms_method="GET")
    assert (changed.sms_url, changed.sms_method) == ("http://127.0.0.1:9/", "GET")
    assert client.incoming_phone_numbers(bought.sid).delete() is True
