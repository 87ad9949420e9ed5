"""One emulator for all tests; each test makes what it needs under names and numbers of its own."""

import contextlib
import itertools

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from emulator import LocalHttpClient, WebhookReceiver, running_emulator
from telephone import Telephones, VoiceServer

ACCOUNT = {
    "TWILIO_ACCOUNT_SID": "AC" + "0a" * 16,
    "TWILIO_AUTH_TOKEN": "1b" * 16,
    "TWILIO_API_KEY": "SK" + "2c" * 16,
    "TWILIO_API_SECRET": "a-secret-for-the-sdk-tests",
    "TWILIO_CHAT_SERVICE_SID": "IS" + "3d" * 16,
    "TWILIO_PHONE_NUMBER": "+15557654321",
}

_numbers = itertools.count(15550100000)


@pytest.fixture(scope="session")
def account():
    return ACCOUNT


@pytest.fixture(scope="session")
def base_url():
    with running_emulator(ACCOUNT) as url:
        yield url


@pytest.fixture
def client(base_url):
    return Client(ACCOUNT["TWILIO_ACCOUNT_SID"], ACCOUNT["TWILIO_AUTH_TOKEN"], http_client=LocalHttpClient(base_url))


@pytest.fixture
def api(client):
    return client.conversations.v1


@pytest.fixture
def conversation(api):
    return api.conversations.create(friendly_name="Made by a test")


@pytest.fixture
def number():
    """A telephone number that no other test uses."""
    return f"+{next(_numbers)}"


@pytest.fixture
def receiver(api):
    server = WebhookReceiver()
    yield server
    api.configuration.webhooks().update(pre_webhook_url="", post_webhook_url="", filters=[])
    server.close()


@pytest.fixture
def voice(account):
    """The server of an application that is called."""
    server = VoiceServer(account["TWILIO_AUTH_TOKEN"])
    yield server
    server.close()


@pytest.fixture
def telephones(base_url):
    return Telephones(base_url)


@pytest.fixture
def own_number(account):
    return account["TWILIO_PHONE_NUMBER"]


@pytest.fixture
def call(client, own_number, number):
    """Calls `number`, or another one, from the account's number. What is still up afterwards is hung up."""
    made = []

    def place(**arguments):
        placed = client.calls.create(**({"to": number, "from_": own_number} | arguments))
        made.append(placed.sid)
        return placed

    yield place
    for sid in made:
        with contextlib.suppress(TwilioRestException):
            client.calls(sid).update(status="completed")
