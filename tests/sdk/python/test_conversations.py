"""Conversations, participants and messages, as a program that uses the official SDK sees them."""

import json
from datetime import datetime, timezone

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from emulator import LocalHttpClient


def refusal(action):
    """The HTTP status and Twilio's code with which `action` is refused."""
    with pytest.raises(TwilioRestException) as refused:
        action()
    assert refused.value.msg
    return refused.value.status, refused.value.code


def test_a_conversation_is_created_and_found_again(api, account):
    before = datetime.now(timezone.utc).replace(microsecond=0)
    made = api.conversations.create(
        friendly_name="Table for two", unique_name="table-for-two", attributes=json.dumps({"vip": True})
    )
    assert made.sid.startswith("CH") and len(made.sid) == 34
    assert made.account_sid == account["TWILIO_ACCOUNT_SID"]
    assert made.chat_service_sid == account["TWILIO_CHAT_SERVICE_SID"]
    assert made.state == "active"
    assert made.date_created >= before
    assert json.loads(made.attributes) == {"vip": True}

    found = api.conversations("table-for-two").fetch()
    assert (found.sid, found.friendly_name) == (made.sid, "Table for two")
    through_service = api.services(account["TWILIO_CHAT_SERVICE_SID"]).conversations(made.sid).fetch()
    assert through_service.unique_name == "table-for-two"
    assert made.sid in [listed.sid for listed in api.conversations.list(state="active")]


def test_a_conversation_is_updated_closed_and_deleted(api, conversation):
    changed = conversation.update(friendly_name="Renamed", attributes='{"step": 2}')
    assert (changed.friendly_name, changed.attributes) == ("Renamed", '{"step": 2}')

    assert conversation.update(state="closed").state == "closed"
    assert refusal(lambda: conversation.update(friendly_name="Too late")) == (400, 50377)
    assert conversation.sid in [listed.sid for listed in api.conversations.list(state="closed")]

    assert conversation.delete() is True
    assert refusal(conversation.fetch) == (404, 20404)


def test_a_missing_conversation_has_twilios_code(api):
    missing = api.conversations("CH" + "0" * 32)
    assert refusal(missing.fetch) == (404, 20404)
    assert refusal(missing.delete) == (404, 20404)
    assert refusal(lambda: missing.messages.create(body="Hello?")) == (404, 20404)
    assert refusal(lambda: missing.participants.create(identity="nobody")) == (404, 20404)


def test_a_unique_name_is_unique(api):
    api.conversations.create(unique_name="only-one")
    assert refusal(lambda: api.conversations.create(unique_name="only-one")) == (409, 50353)


def test_attributes_must_be_json(api):
    assert refusal(lambda: api.conversations.create(attributes="{not json")) == (400, 50304)


def test_participants_are_added_listed_changed_and_removed(conversation, account, number):
    bot = conversation.participants.create(identity="concierge", attributes='{"role": "agent"}')
    person = conversation.participants.create(
        messaging_binding_address=number, messaging_binding_proxy_address=account["TWILIO_PHONE_NUMBER"]
    )
    assert bot.sid.startswith("MB") and bot.identity == "concierge" and bot.messaging_binding is None
    assert person.identity is None
    assert person.messaging_binding["type"] == "sms"
    assert person.messaging_binding["address"] == number
    assert person.messaging_binding["proxy_address"] == account["TWILIO_PHONE_NUMBER"]
    assert {listed.sid for listed in conversation.participants.list()} == {bot.sid, person.sid}

    assert bot.update(attributes='{"role": "host"}').attributes == '{"role": "host"}'
    assert person.delete() is True
    assert [listed.sid for listed in conversation.participants.list()] == [bot.sid]
    assert refusal(person.fetch)[0] == 404


def test_an_identity_joins_once(conversation):
    conversation.participants.create(identity="concierge")
    assert refusal(lambda: conversation.participants.create(identity="concierge")) == (409, 50433)
    assert len(conversation.participants.list()) == 1


def test_an_address_pair_is_in_one_open_conversation(api, conversation, account, number):
    pair = {
        "messaging_binding_address": f"whatsapp:{number}",
        "messaging_binding_proxy_address": f"whatsapp:{account['TWILIO_PHONE_NUMBER']}",
    }
    other = api.conversations.create()
    assert conversation.participants.create(**pair).messaging_binding["type"] == "whatsapp"
    assert refusal(lambda: conversation.participants.create(**pair)) == (409, 50416)
    assert refusal(lambda: other.participants.create(**pair)) == (409, 50416)

    conversation.update(state="closed")
    assert other.participants.create(**pair).sid.startswith("MB")


def test_a_hundred_and_twenty_messages_are_paged(client, conversation):
    sent = [f"Message {number}" for number in range(120)]
    for body in sent:
        conversation.messages.create(author="concierge", body=body)

    before = client.http_client.requests
    messages = conversation.messages.list(page_size=50)
    assert client.http_client.requests - before == 3
    assert [message.body for message in messages] == sent
    indexes = [message.index for message in messages]
    assert indexes == sorted(set(indexes))
    assert len({message.sid for message in messages}) == 120

    newest_first = [message.body for message in conversation.messages.list(order="desc", page_size=50)]
    assert newest_first == sent[::-1]
    assert [message.body for message in conversation.messages.list(limit=60, page_size=50)] == sent[:60]


def test_pages_link_forwards_and_backwards(conversation):
    for number in range(7):
        conversation.messages.create(body=str(number))
    first = conversation.messages.page(page_size=3)
    second = first.next_page()
    third = second.next_page()
    assert [[message.body for message in page] for page in (first, second, third)] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert third.next_page() is None and first.previous_page() is None
    assert [message.body for message in third.previous_page()] == ["3", "4", "5"]


def test_a_message_is_changed_and_removed(conversation):
    message = conversation.messages.create(author="concierge", body="Helo", attributes='{"draft": true}')
    assert message.sid.startswith("IM") and message.author == "concierge" and message.media is None
    assert message.update(body="Hello 👋🏽 مرحبا").body == "Hello 👋🏽 مرحبا"
    assert conversation.messages(message.sid).fetch().body == "Hello 👋🏽 مرحبا"
    assert message.delete() is True
    assert refusal(message.fetch)[0] == 404
    assert conversation.messages.create(body="Next").author == "system"


def test_a_text_to_a_phone_has_a_delivery_receipt(conversation, account, number):
    person = conversation.participants.create(
        messaging_binding_address=number, messaging_binding_proxy_address=account["TWILIO_PHONE_NUMBER"]
    )
    message = conversation.messages.create(author="concierge", body="Your table is ready")
    receipts = message.delivery_receipts.list()
    assert [receipt.participant_sid for receipt in receipts] == [person.sid]
    assert receipts[0].message_sid == message.sid
    assert receipts[0].channel_message_sid.startswith("SM")
    assert receipts[0].status in {"queued", "sent", "delivered"}


def test_credentials(base_url, account):
    http = LocalHttpClient(base_url)
    sid = account["TWILIO_ACCOUNT_SID"]
    by_key = Client(account["TWILIO_API_KEY"], account["TWILIO_API_SECRET"], sid, http_client=http)
    assert by_key.conversations.v1.conversations.create().account_sid == sid

    wrong_token = Client(sid, "0" * 32, http_client=http)
    assert refusal(wrong_token.conversations.v1.conversations.create) == (401, 20003)
    assert refusal(lambda: wrong_token.conversations.v1.conversations("CH" + "0" * 32).fetch()) == (401, 20003)
    stranger = Client("AC" + "f" * 32, account["TWILIO_AUTH_TOKEN"], http_client=http)
    assert refusal(stranger.conversations.v1.conversations.create) == (401, 20003)
