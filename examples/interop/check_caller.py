"""A caller that is not ours calls our gateway, with the agent that comes with it: does it hear an answer?"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from programs import ask, free_address, running, within

HERE = Path(__file__).resolve().parent
PROGRAM = os.environ["TRUNKLINE_BIN"]
SENTENCE = "when are you open"
TOKEN = "the-token-of-an-example"


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
        assert heard["greeting_s"] > 0.5, "the gateway greets whoever calls"
        assert heard["answer_s"] >= 1 and heard["last_s"] > 0.5, "the gateway answers what was said"
        assert heard["clears"] == 1 and heard["talked_over_s"] < 0.8, "the gateway stops for whoever speaks"
        assert heard["marks"] == heard["returned"] > 0, "the gateway asks what has been heard"

    def console(path):
        return ask("GET", f"http://{gateway}/api/v1/calls{path}", headers={"Authorization": f"Bearer {TOKEN}"})

    past = within(20, "both calls are over", lambda: len(told := console("")["past"]) == 2 and told)
    for one in past:
        turns = console(f"/{one['call']}")["turns"]
        print([(turn["person"], turn["agent"]) for turn in turns])
        understood = [turn["person"] for turn in turns if turn["person"]]
        assert understood == [SENTENCE, SENTENCE], "the gateway understands the sentence both times"


def main():
    gateway, emulator = free_address(), free_address()
    with tempfile.TemporaryDirectory() as folder:
        command = [PROGRAM, "up", "--listen", gateway, "--emulator-listen", emulator, "--data-dir", folder]
        with running(command, {"TRUNKLINE_CONSOLE_TOKEN": TOKEN}, f"http://{gateway}/healthz", folder):
            check(gateway, emulator, folder)
    print("our gateway works with a caller that is not ours")


main()
