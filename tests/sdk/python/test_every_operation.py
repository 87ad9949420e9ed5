"""Every operation of Conversations v1, at account and at service level, through the official SDK."""

import json
import re
import urllib.request
from urllib.parse import urlsplit

import pytest
from twilio.rest import Client

from conftest import ACCOUNT
from emulator import ROOT, LocalHttpClient, control, send_text

MESSAGE_COUNT = 7
PAGE_SIZE = 3
DOCUMENT = ROOT / "crates/trunkline-emulator/tests/data/twilio_conversations_v1.json"
#: (method, path) of what was carried out
carried_out = set()


class Recorder(LocalHttpClient):
    """Writes down what the emulator carried out."""

    def request(self, method, url, *args, **kwargs):
        answer = super().request(method, url, *args, **kwargs)
        if answer.ok:
            carried_out.add((method.lower(), urlsplit(url).path))
        return answer


@pytest.fixture
def client(base_url):
    return Client(ACCOUNT["TWILIO_ACCOUNT_SID"], ACCOUNT["TWILIO_AUTH_TOKEN"], http_client=Recorder(base_url))


@pytest.fixture
def service(api):
    made = api.services.create(friendly_name="Another desk")
    yield api.services(made.sid)
    made.delete()


@pytest.fixture(params=["account", "service"])
def scope(request, api):
    """The account's default service without its name, and another service by its SID: both have the same resources."""
    return api if request.param == "account" else request.getfixturevalue("service")


def test_services_come_and_go(api):
    made = api.services.create(friendly_name="Short-lived")
    assert api.services(made.sid).fetch().friendly_name == "Short-lived"
    assert made.sid in [one.sid for one in api.services.stream(page_size=1)]
    assert made.delete() is True
    assert made.sid not in [one.sid for one in api.services.list()]


def test_a_conversation_from_beginning_to_end(scope):
    made = scope.conversations.create(
        friendly_name="Desk", timers_inactive="PT5M", timers_closed="P1D", bindings_email_address="a@example.com"
    )
    assert set(made.timers) == {"date_inactive", "date_closed"}
    assert made.bindings["email"]["address"] == "a@example.com"
    assert scope.conversations(made.sid).fetch().friendly_name == "Desk"
    assert scope.conversations(made.sid).update(state="inactive").state == "inactive"
    assert made.sid in [one.sid for one in scope.conversations.list(state="inactive", page_size=1)]
    day = made.date_created.date().isoformat()
    assert made.sid in [one.sid for one in scope.conversations.list(start_date=day, end_date=day)]
    assert scope.conversations.list(end_date="2020-01-01") == []
    assert scope.conversations(made.sid).delete() is True


def test_messages_are_iterated_changed_and_removed(scope, account):
    conversation = scope.conversations(scope.conversations.create().sid)
    sids = [conversation.messages.create(body=f"message {at}", author="ada").sid for at in range(MESSAGE_COUNT)]
    assert [one.sid for one in conversation.messages.stream(page_size=PAGE_SIZE)] == sids
    assert [one.sid for one in conversation.messages.stream(order="desc", page_size=PAGE_SIZE)] == sids[::-1]
    assert [one.sid for one in conversation.messages.stream(limit=4, page_size=PAGE_SIZE)] == sids[:4]
    first = conversation.messages(sids[0])
    changed = first.update(body="changed", author="grace", attributes='{"edited": true}', subject="About nothing")
    assert (changed.body, changed.author, json.loads(changed.attributes)) == ("changed", "grace", {"edited": True})
    assert first.fetch().index == 0
    assert first.delete() is True
    assert [one.index for one in conversation.messages.list()] == list(range(1, MESSAGE_COUNT))


def test_receipts_are_listed_and_fetched(scope, own_number, number):
    conversation = scope.conversations(scope.conversations.create().sid)
    participant = conversation.participants.create(
        messaging_binding_address=number, messaging_binding_proxy_address=own_number
    )
    sent = conversation.messages.create(body="hello")
    [receipt] = conversation.messages(sent.sid).delivery_receipts.list()
    assert receipt.participant_sid == participant.sid
    assert conversation.messages(sent.sid).delivery_receipts(receipt.sid).fetch().error_code == 0


def test_participants_from_beginning_to_end(scope):
    conversation = scope.conversations(scope.conversations.create().sid)
    made = conversation.participants.create(identity="ada", attributes='{"seat": 1}')
    conversation.participants.create(identity="grace")
    assert [one.identity for one in conversation.participants.stream(page_size=1)] == ["ada", "grace"]
    conversation.messages.create(body="zero")
    read = conversation.participants(made.sid).update(last_read_message_index=0, attributes="{}")
    assert (read.last_read_message_index, read.attributes) == (0, "{}")
    assert conversation.participants("ada").fetch().sid == made.sid
    assert conversation.participants(made.sid).delete() is True
    assert [one.identity for one in conversation.participants.list()] == ["grace"]


def test_a_conversation_with_participants_in_one_request(scope, own_number, number):
    phone = {"messaging_binding": {"address": number, "proxy_address": own_number}}
    made = scope.conversation_with_participants.create(
        friendly_name="All at once", participant=[json.dumps(phone), json.dumps({"identity": "ada"})]
    )
    members = scope.conversations(made.sid).participants.list()
    assert [one.identity for one in members] == [None, "ada"]
    assert members[0].messaging_binding["address"] == number


def test_conversations_of_a_participant(scope, own_number, number):
    sids = []
    for _ in range(3):
        conversation = scope.conversations.create()
        scope.conversations(conversation.sid).participants.create(identity=f"lister-{number}")
        sids.append(conversation.sid)
    scope.conversations(sids[0]).participants.create(
        messaging_binding_address=number, messaging_binding_proxy_address=own_number
    )
    listed = scope.participant_conversations.stream(identity=f"lister-{number}", page_size=2)
    assert [one.conversation_sid for one in listed] == sids
    [by_address] = scope.participant_conversations.list(address=number)
    assert (by_address.conversation_sid, by_address.conversation_state) == (sids[0], "active")


def test_webhooks_from_beginning_to_end(scope):
    webhooks = scope.conversations(scope.conversations.create().sid).webhooks
    hook = webhooks.create(
        target="webhook", configuration_url="http://127.0.0.1:9/", configuration_filters=["onMessageAdded"]
    )
    trigger = webhooks.create(
        target="trigger", configuration_url="http://127.0.0.1:9/", configuration_triggers=["help"]
    )
    studio = webhooks.create(target="studio", configuration_flow_sid="FW" + "0" * 32)
    assert [one.target for one in webhooks.list()] == ["webhook", "trigger", "studio"]
    assert webhooks(hook.sid).update(configuration_method="get").configuration["method"] == "get"
    assert webhooks(trigger.sid).fetch().configuration["filters"] == ["help"]
    assert webhooks(studio.sid).delete() is True
    assert len(webhooks.list()) == 2


def test_roles_from_beginning_to_end(scope):
    assert [one.friendly_name for one in scope.roles.list(limit=4)] == [
        "channel admin",
        "channel user",
        "service admin",
        "service user",
    ]
    made = scope.roles.create(friendly_name="reader", type="conversation", permission=["leaveConversation"])
    changed = scope.roles(made.sid).update(permission=["sendMessage", "leaveConversation"])
    assert changed.permissions == ["sendMessage", "leaveConversation"]
    assert scope.roles(made.sid).fetch().type == "conversation"
    assert scope.roles(made.sid).delete() is True


def test_users_and_their_conversations(scope, number):
    identity = f"user-{number}"
    made = scope.users.create(identity=identity, friendly_name="Ada", attributes='{"level": 3}')
    assert scope.users(identity).fetch().sid == made.sid
    assert scope.users(made.sid).update(friendly_name="Ada L.").friendly_name == "Ada L."
    assert made.sid in [one.sid for one in scope.users.stream(page_size=1)]
    conversation = scope.conversations.create(unique_name=f"with-{identity}")
    scope.conversations(conversation.sid).participants.create(identity=identity)
    for body in ("zero", "one"):
        scope.conversations(conversation.sid).messages.create(body=body)
    own = scope.users(made.sid).user_conversations
    [listed] = own.list()
    assert (listed.conversation_sid, listed.notification_level) == (conversation.sid, "default")
    changed = own(conversation.sid).update(notification_level="muted", last_read_message_index=0)
    assert (changed.notification_level, changed.unread_messages_count) == ("muted", 1)
    assert own(conversation.sid).fetch().unique_name == f"with-{identity}"
    assert own(conversation.sid).delete() is True
    assert own.list() == []
    assert scope.users(made.sid).delete() is True


def test_configuration_of_the_account(api):
    before = api.configuration().fetch()
    changed = api.configuration().update(default_inactive_timer="PT10M", default_closed_timer="P2D")
    assert (changed.default_inactive_timer, changed.default_closed_timer) == ("PT10M", "P2D")
    assert set(api.conversations.create().timers) == {"date_inactive", "date_closed"}
    api.configuration().update(default_inactive_timer="", default_closed_timer="")
    assert api.configuration().fetch().default_chat_service_sid == before.default_chat_service_sid
    hooks = api.configuration.webhooks()
    assert hooks.update(target="webhook", method="GET").method == "GET"
    hooks.update(method="POST")
    assert hooks.fetch().target == "webhook"


def test_configuration_of_a_service(service, account):
    role = service.roles.create(friendly_name="guest", type="conversation", permission=["sendMessage"])
    changed = service.configuration().update(default_conversation_role_sid=role.sid, reachability_enabled=True)
    assert (changed.default_conversation_role_sid, changed.reachability_enabled) == (role.sid, True)
    assert service.configuration().fetch().default_conversation_role_sid == role.sid
    notified = service.configuration.notifications().update(
        new_message_enabled=True, new_message_template="${MESSAGE}", new_message_badge_count_enabled=True
    )
    assert notified.new_message["template"] == "${MESSAGE}"
    assert service.configuration.notifications().fetch().new_message["badge_count_enabled"] is True
    hooks = service.configuration.webhooks()
    assert hooks.update(filters=["onMessageAdded"], method="POST").filters == ["onMessageAdded"]
    assert hooks.fetch().filters == ["onMessageAdded"]


def test_credentials_and_bindings(api, base_url, account):
    made = api.credentials.create(type="fcm", secret="not a secret", friendly_name="Android")
    assert api.credentials(made.sid).fetch().type == "fcm"
    assert api.credentials(made.sid).update(friendly_name="Phones").friendly_name == "Phones"
    assert made.sid in [one.sid for one in api.credentials.list()]
    device = {"credential_sid": made.sid, "identity": "ada", "endpoint": "ada:phone", "message_types": ["new_message"]}
    bound = control(base_url, "POST", "/bindings", device)
    bindings = api.services(account["TWILIO_CHAT_SERVICE_SID"]).bindings
    assert [one.sid for one in bindings.list(identity=["ada"], binding_type=["fcm"])] == [bound["sid"]]
    assert bindings(bound["sid"]).fetch().endpoint == "ada:phone"
    assert bindings(bound["sid"]).delete() is True
    assert api.credentials(made.sid).delete() is True


def test_addresses_that_make_conversations(api, base_url, service, number):
    sid = service.fetch().sid
    made = api.address_configurations.create(
        type="sms",
        address=number,
        auto_creation_enabled=True,
        auto_creation_type="default",
        auto_creation_conversation_service_sid=sid,
    )
    texted = control(base_url, "POST", "/messages", {"from": "+15550190001", "to": number, "body": "hello"})
    assert service.conversations(texted["conversation_sid"]).fetch().chat_service_sid == sid
    assert api.address_configurations(number).fetch().sid == made.sid
    assert api.address_configurations(made.sid).update(friendly_name="Desk").friendly_name == "Desk"
    assert made.sid in [one.sid for one in api.address_configurations.list(type="sms")]
    assert api.address_configurations(made.sid).delete() is True


def test_timers_that_are_put_forward(api, base_url, own_number, number):
    conversation = api.conversations.create(timers_inactive="PT1M", timers_closed="PT10M")
    control(base_url, "POST", "/clock", {"advance_ms": 61_000})
    assert conversation.fetch().state == "inactive"
    control(base_url, "POST", "/clock", {"advance_ms": 600_000})
    assert conversation.fetch().state == "closed"
    control(base_url, "POST", "/clock", {"set": None})


def test_templates_and_files(client, api, base_url, account, conversation):
    template = {"language": "en", "types": {"twilio/text": {"body": "Hello {{1}}"}}}
    request = urllib.request.Request(
        f"{base_url}/v1/Content", json.dumps(template).encode(), {"Content-Type": "application/json"}
    )
    credentials = client.auth[0], client.auth[1]
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, base_url, *credentials)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords)
    )
    sid = json.load(opener.open(request))["sid"]
    sent = conversation.messages.create(content_sid=sid, content_variables='{"1": "Ada"}')
    assert (sent.body, sent.content_sid) == ("Hello Ada", sid)
    assert client.content.v1.contents(sid).fetch().types == template["types"]
    file = urllib.request.Request(
        f"{base_url}/v1/Services/{account['TWILIO_CHAT_SERVICE_SID']}/Media?Filename=a.txt",
        b"hello",
        {"Content-Type": "text/plain"},
    )
    media = json.load(opener.open(file))["sid"]
    assert conversation.messages.create(media_sid=media).media[0]["filename"] == "a.txt"
    texted = send_text(base_url, sender="+15550190009", body="hello")
    assert api.conversations(texted["conversation_sid"]).fetch().sid == texted["conversation_sid"]


def test_no_operation_of_twilios_description_was_left_out():
    """Comes last: what the tests above did is held against the document."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    wanted = {(method, path) for path, operations in paths.items() for method in operations}

    def done(method, path):
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        return any(did == method and pattern.fullmatch(at) for did, at in carried_out)

    assert [one for one in sorted(wanted) if not done(*one)] == []
