"""One emulator for all tests; each test makes what it needs under names and numbers of its own."""

import itertools

import pytest
from twilio.rest import Client

from emulator import LocalHttpClient, WebhookReceiver, running_emulator

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
    return Client(
        ACCOUNT["TWILIO_ACCOUNT_SID"], ACCOUNT["TWILIO_AUTH_TOKEN"], http_client=LocalHttpClient(base_url)
    )


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
