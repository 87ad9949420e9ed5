"""At least twenty-five of Twilio's error codes, each as the official SDK shows it."""

import json

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from emulator import LocalHttpClient, control

NOWHERE = "http://127.0.0.1:9/"
FLOW = "FW" + "0" * 32
LEAST_CODES = 25


def refused(action):
    """The HTTP status and Twilio's code with which `action` is refused. Of a list the SDK gives the bare answer."""
    with pytest.raises(TwilioException) as problem:
        action()
    if isinstance(problem.value, TwilioRestException):
        assert problem.value.msg
        return problem.value.status, problem.value.code
    answer = problem.value.args[1]
    return answer.status_code, json.loads(answer.text)["code"]


def conversation_cases(api, conversation, number, own_number):
    """(what is done, HTTP status, Twilio's code)"""
    webhooks, participants, messages = conversation.webhooks, conversation.participants, conversation.messages
    closed = api.conversations.create()
    closed.update(state="closed")
    taken = api.conversations.create(unique_name=f"taken-{number}")
    participants.create(identity="ada")
    pair = {"messaging_binding_address": number, "messaging_binding_proxy_address": own_number}
    participants.create(**pair)
    api.users.create(identity=f"once-{number}")
    binding = "messaging_binding_address"
    proxy = "messaging_binding_proxy_address"
    return [
        (lambda: api.conversations("CH" + "0" * 32).fetch(), 404, 20404),
        (lambda: api.conversations.create(unique_name=taken.unique_name), 409, 50353),
        (lambda: api.conversations.create(unique_name="CH" + "1" * 32), 400, 50390),
        (lambda: api.conversations.create(unique_name="x" * 257), 400, 50302),
        (lambda: api.conversations.create(friendly_name="x" * 257), 400, 50301),
        (lambda: api.conversations.create(attributes="{"), 400, 50304),
        (lambda: api.conversations.create(attributes=json.dumps("x" * 16384)), 400, 50303),
        (lambda: api.conversations.create(messaging_service_sid="MG1"), 400, 50341),
        (lambda: api.conversations.create(state="closed"), 400, 50384),
        (lambda: api.conversations.create(state="asleep"), 400, 50378),
        (lambda: api.conversations.create(timers_inactive="PT59S"), 400, 50375),
        (lambda: api.conversations.create(timers_closed="PT9M"), 400, 50376),
        (lambda: api.conversations.create(timers_closed="soon"), 400, 50379),
        (lambda: closed.update(friendly_name="late"), 400, 50377),
        (lambda: webhooks.create(target="carrier"), 400, 50364),
        (lambda: webhooks.create(target="webhook", configuration_filters=["onMessageAdded"]), 400, 50369),
        (lambda: webhooks.create(target="webhook", configuration_url=NOWHERE), 400, 50370),
        (
            lambda: webhooks.create(target="webhook", configuration_url=NOWHERE, configuration_filters=["onNothing"]),
            400,
            50365,
        ),
        (lambda: webhooks.create(target="trigger", configuration_url=NOWHERE), 400, 50371),
        (
            lambda: webhooks.create(target="trigger", configuration_url=NOWHERE, configuration_triggers=["x"] * 21),
            400,
            50362,
        ),
        (lambda: webhooks.create(target="studio", configuration_flow_sid="FW1"), 400, 50367),
        (lambda: [webhooks.create(target="studio", configuration_flow_sid=FLOW) for _ in range(6)], 400, 50361),
        (lambda: participants.create(identity="ada"), 409, 50433),
        (lambda: participants.create(identity="x", **pair), 400, 50451),
        (lambda: participants.create(**{binding: "nobody", proxy: own_number}), 400, 50407),
        (lambda: participants.create(**{binding: "+15550180001", proxy: "nobody"}), 400, 50408),
        (lambda: participants.create(**{binding: "+15550180001"}), 400, 50409),
        (lambda: participants.create(**{binding: "whatsapp:+15550180001", proxy: own_number}), 400, 50412),
        (lambda: participants.create(**{binding: "+15550180001", proxy: "+15559990000"}), 400, 50413),
        (lambda: participants.create(**{binding: "whatsapp:+15550180001", proxy: "whatsapp:+15559990000"}), 400, 50415),
        (lambda: participants.create(**pair), 409, 50416),
        (lambda: participants.create(identity="bob", role_sid="RL" + "0" * 32), 404, 50101),
        (lambda: api.users.create(identity=f"once-{number}"), 409, 50201),
        (lambda: api.roles("RL" + "0" * 32).fetch(), 404, 50100),
        (lambda: messages.create(body="x" * 1601), 400, 50504),
        (lambda: messages.create(media_sid="ME" + "0" * 32), 400, 50512),
        (lambda: messages.create(content_sid="HX" + "0" * 32), 400, 50526),
        (lambda: messages.create(body=""), 400, 20001),
        (lambda: api.conversations.list(page_size=101), 400, 20007),
        (lambda: api.conversation_with_participants.create(participant=["{}"] * 11), 400, 50426),
        (lambda: api.conversation_with_participants.create(participant=["{}"]), 400, 50427),
    ]


def message_cases(client, own_number, number):
    create = client.messages.create
    both = {"to": number, "from_": own_number}
    return [
        (lambda: create(to="nobody", from_=own_number, body="x"), 400, 21211),
        (lambda: create(to=number, body="x"), 400, 21603),
        (lambda: create(to=number, from_="nobody", body="x"), 400, 21212),
        (lambda: create(to=number, from_="+15559990000", body="x"), 400, 21606),
        (lambda: create(to=own_number, from_=own_number, body="x"), 400, 21266),
        (lambda: create(**both), 400, 21602),
        (lambda: create(body="x" * 1601, **both), 400, 21617),
        (lambda: create(media_url=["nowhere"], **both), 400, 21620),
        (lambda: create(media_url=[NOWHERE] * 11, **both), 400, 21623),
        (lambda: create(body="x", status_callback="nowhere", **both), 400, 21609),
        (lambda: create(content_sid="HX" + "0" * 32, **both), 400, 21655),
        (lambda: create(to=f"whatsapp:{number}", from_=own_number, body="x"), 400, 21910),
        (lambda: create(to=f"whatsapp:{number}", from_="whatsapp:+15559990000", body="x"), 400, 63007),
        (lambda: create(body="x", schedule_type="fixed", **both), 400, 35114),
        (lambda: client.messages("SM" + "0" * 32).fetch(), 404, 20404),
        (lambda: client.incoming_phone_numbers.create(phone_number=own_number), 400, 21422),
    ]


def test_refusals_have_twilios_codes(client, api, conversation, own_number, number):
    cases = conversation_cases(api, conversation, number, own_number) + message_cases(client, own_number, number)
    wrong = []
    for action, status, code in cases:
        got = refused(action)
        if got != (status, code):
            wrong.append((got, (status, code)))
    assert not wrong
    assert len({code for _, _, code in cases}) >= LEAST_CODES


def test_credentials_methods_and_rates(base_url, account, api, conversation):
    stranger = Client(account["TWILIO_ACCOUNT_SID"], "wrong", http_client=LocalHttpClient(base_url))
    assert refused(lambda: stranger.conversations.v1.conversations.list()) == (401, 20003)
    control(base_url, "PUT", "/rules", {"mutations_per_second": 1})
    try:
        assert refused(lambda: [conversation.messages.create(body="x") for _ in range(20)]) == (429, 50074)
        assert refused(lambda: [api.conversations.create() for _ in range(20)]) == (429, 50063)
    finally:
        control(base_url, "PUT", "/rules", {})
    fault = {"match": {"method": "POST", "path": "/v1/Conversations"}, "fault": {"kind": "status", "status": 429}}
    control(base_url, "POST", "/faults", fault | {"count": 1})
    assert refused(lambda: api.conversations.create()) == (429, 20429)
