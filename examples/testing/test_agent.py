"""An agent tested from Python: the gateway and a local Twilio run for as long as the tests, and a person texts.

pip install pytest; pytest test_agent.py
"""

import json
import os
import socket
import subprocess
import time
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

TRUNKLINE = os.environ.get("TRUNKLINE_BIN", "trunkline")
ADA = "+15550001111"


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data), timeout=5) as answer:
        return json.load(answer)


def until(check, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := check():
                return found
        except (URLError, ConnectionError):
            pass  # It starts, or is not ready yet.
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def free_address():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % one.getsockname()[1]


@pytest.fixture(scope="session")
def phone(tmp_path_factory):
    """Ada's telephone: texts the agent and returns what it answers."""
    gateway, emulator = free_address(), free_address()
    command = [TRUNKLINE, "up", "--listen", gateway, "--emulator-listen", emulator]
    program = subprocess.Popen(
        command, cwd=tmp_path_factory.mktemp("trunkline"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: ask(f"http://{gateway}/readyz")["ready"])
    control = f"http://{emulator}/emulator/v1"

    def received():
        messages = ask(f"{control}/phones/{ADA}/messages")["messages"]
        return [message["body"] for message in messages if message["direction"] == "received"]

    def text(body):
        before = len(received())
        ask(f"{control}/messages", {"from": ADA, "body": body})
        return until(lambda: received()[before:])[0]

    yield text
    program.terminate()
    program.wait(timeout=20)


def test_it_remembers_a_name(phone):
    phone("my name is Ada")
    assert "Ada" in phone("what is my name?")
