"""A caller that is not ours calls our gateway, with the agent that comes with it: does it hear an answer?"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from programs import ask, free_address, running

HERE = Path(__file__).resolve().parent
PROGRAM = os.environ["TRUNKLINE_BIN"]
SENTENCE = "when are you open"


def call(webhook, account, sentence):
    who = [account["account_sid"], account["auth_token"], "+15550004711", account["phone_number"]]
    done = subprocess.run(
        [sys.executable, str(HERE / "caller.py"), webhook, *who, sentence], capture_output=True, text=True, timeout=90
    )
    print(done.stdout + done.stderr)
    assert done.returncode == 0, "nobody answered the sentence"
    return json.loads(done.stdout.splitlines()[-1])


def check(gateway, emulator, folder):
    account = ask("GET", f"http://{emulator}/emulator/v1/account")
    sentence = str(Path(folder) / "sentence.wav")
    subprocess.run(["flite", "-voice", "slt", "-t", SENTENCE, "-o", sentence], check=True, timeout=20)
    webhook = f"http://{gateway}/webhooks/twilio/voice"
    for _ in range(2):
        heard = call(webhook, account, sentence)
        assert heard["before_s"] > 0.5, "the gateway greets whoever calls"
        assert heard["after_s"] > 0.5, "the gateway answers what was said"
        assert heard["marks"] == heard["returned"] > 0, "the gateway asks what has been heard"


def main():
    gateway, emulator = free_address(), free_address()
    with tempfile.TemporaryDirectory() as folder:
        command = [PROGRAM, "up", "--listen", gateway, "--emulator-listen", emulator, "--data-dir", folder]
        with running(command, {}, f"http://{gateway}/healthz", folder):
            check(gateway, emulator, folder)
    print("our gateway works with a caller that is not ours")


main()
