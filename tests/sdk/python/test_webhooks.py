"""Webhook settings through the official SDK, and its own validator as the judge of what the emulator then sends."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from emulator import send_text


def check_signature(webhook, receiver, account):
    url = receiver.url.split("/hooks")[0] + webhook["path"]
    validator = RequestValidator(account["TWILIO_AUTH_TOKEN"])
    assert validator.validate(url, webhook["parameters"], webhook["signature"])
    assert not validator.validate(url, webhook["parameters"] | {"Body": "forged"}, webhook["signature"])


def test_the_account_webhook_is_set_and_called(api, conversation, receiver, account):
    settings = api.configuration.webhooks().update(
        post_webhook_url=receiver.url, filters=["onMessageAdded"], method="POST"
    )
    assert (settings.post_webhook_url, settings.filters) == (receiver.url, ["onMessageAdded"])
    assert api.configuration.webhooks().fetch().post_webhook_url == receiver.url

    conversation.messages.create(body="Unheard: REST calls cause no webhook of themselves")
    heard = conversation.messages.create(body="Heard", author="concierge", x_twilio_webhook_enabled="true")
    webhook = receiver.next()
    parameters = webhook["parameters"]
    assert parameters["EventType"] == "onMessageAdded"
    assert parameters["MessageSid"] == heard.sid
    assert parameters["ConversationSid"] == conversation.sid
    assert parameters["AccountSid"] == account["TWILIO_ACCOUNT_SID"]
    assert (parameters["Body"], parameters["Author"], parameters["Source"]) == ("Heard", "concierge", "API")
    check_signature(webhook, receiver, account)


def test_a_pre_event_can_refuse_a_message(api, conversation, receiver, account):
    api.configuration.webhooks().update(pre_webhook_url=receiver.url, filters=["onMessageAdd"])
    receiver.answer = 403
    with pytest.raises(TwilioRestException) as refused:
        conversation.messages.create(body="No", x_twilio_webhook_enabled="true")
    assert refused.value.status == 403
    check_signature(receiver.next(), receiver, account)
    assert conversation.messages.list() == []


def test_the_service_webhook(api, account):
    webhooks = api.services(account["TWILIO_CHAT_SERVICE_SID"]).configuration.webhooks()
    changed = webhooks.update(post_webhook_url="http://127.0.0.1:9/service", filters=["onConversationAdded"])
    assert changed.post_webhook_url == "http://127.0.0.1:9/service"
    assert webhooks.fetch().filters == ["onConversationAdded"]
    assert webhooks.update(post_webhook_url="", filters=[]).chat_service_sid == account["TWILIO_CHAT_SERVICE_SID"]


def test_a_conversations_own_webhook(api, conversation, receiver, account, number):
    conversation.participants.create(
        messaging_binding_address=number, messaging_binding_proxy_address=account["TWILIO_PHONE_NUMBER"]
    )
    hook = conversation.webhooks.create(
        target="webhook",
        configuration_url=receiver.url,
        configuration_method="post",
        configuration_filters=["onMessageAdded"],
    )
    assert hook.sid.startswith("WH") and hook.target == "webhook"
    assert hook.configuration["url"] == receiver.url
    assert [listed.sid for listed in conversation.webhooks.list()] == [hook.sid]

    sent = send_text(api.domain.twilio.http_client.base.geturl(), sender=number, body="Hello")
    assert sent["conversation_sid"] == conversation.sid
    webhook = receiver.next()
    assert webhook["parameters"]["EventType"] == "onMessageAdded"
    assert (webhook["parameters"]["Body"], webhook["parameters"]["Author"]) == ("Hello", number)
    assert webhook["parameters"]["Source"].upper() == "SMS"
    check_signature(webhook, receiver, account)

    changed = hook.update(configuration_filters=["onMessageAdded", "onDeliveryUpdated"])
    assert changed.configuration["filters"] == ["onMessageAdded", "onDeliveryUpdated"]
    assert hook.delete() is True
    assert conversation.webhooks.list() == []


def test_a_conversation_has_five_webhooks_at_most(conversation):
    def add():
        return conversation.webhooks.create(
            target="webhook", configuration_url="http://127.0.0.1:9/hook", configuration_filters=["onMessageAdded"]
        )

    for _ in range(5):
        add()
    with pytest.raises(TwilioRestException) as refused:
        add()
    assert (refused.value.status, refused.value.code) == (400, 50361)


def test_address_configurations(api, account, number):
    own = [listed.address for listed in api.address_configurations.list()]
    assert account["TWILIO_PHONE_NUMBER"] in own, "the account's number makes conversations from the start"

    made = api.address_configurations.create(
        type="sms", address=number, friendly_name="Second line", auto_creation_enabled=True, auto_creation_type="default"
    )
    assert made.sid.startswith("IG") and made.address == number
    assert made.auto_creation["enabled"] is True
    changed = api.address_configurations(made.sid).update(friendly_name="Third line", auto_creation_enabled=False)
    assert (changed.friendly_name, changed.auto_creation["enabled"]) == ("Third line", False)
    assert api.address_configurations(made.sid).delete() is True
    assert number not in [listed.address for listed in api.address_configurations.list()]


def test_a_persons_first_text_opens_a_conversation(api, base_url, receiver, account, number):
    api.configuration.webhooks().update(
        post_webhook_url=receiver.url, filters=["onConversationAdded", "onParticipantAdded", "onMessageAdded"]
    )
    sent = send_text(base_url, sender=number, body="Is anybody there?", channel="whatsapp")
    events = [receiver.next() for _ in range(3)]
    assert [event["parameters"]["EventType"] for event in events] == [
        "onConversationAdded",
        "onParticipantAdded",
        "onMessageAdded",
    ]
    for event in events:
        assert event["parameters"]["ConversationSid"] == sent["conversation_sid"]
        check_signature(event, receiver, account)

    opened = api.conversations(sent["conversation_sid"])
    (person,) = opened.participants.list()
    assert person.messaging_binding["type"] == "whatsapp"
    assert person.messaging_binding["address"] == f"whatsapp:{number}"
    assert [message.body for message in opened.messages.list()] == ["Is anybody there?"]
