"""A server that is not ours answers a call of the emulator: what comes back, and what marks and clear do."""

import os
import sys
from pathlib import Path

from programs import ask, free_address, running, within

HERE = Path(__file__).resolve().parent
PROGRAM = os.environ["TRUNKLINE_BIN"]
STEPS = [
    {"say": "good morning"},
    {"wait_for_speech": {"expect": ["good morning", "good evening"]}},
    {"say": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"},
    # It was sent at once: most of it waits at the emulator when the caller speaks.
    {"talk_over": {"after_ms": 3500, "say": "stop please"}},
    {"wait_for_speech": {"expect": ["stop please", "good evening"]}},
    {"digits": "9"},
    {"wait_for_hang_up": {"timeout_ms": 20000}},
]


def check(emulator, parrot):
    control = f"{emulator}/emulator/v1"
    ask("POST", f"{control}/numbers", {"voice_url": f"{parrot}/voice"})
    sid = ask("POST", f"{control}/calls", {"from": "+15550004711", "steps": STEPS})["sid"]
    call = within(90, "the call is over", lambda: (shown := ask("GET", f"{control}/calls/{sid}"))["result"] and shown)
    seen = within(
        20, "the framework's pipeline is over", lambda: (told := ask("GET", f"{parrot}/seen"))["over"] and told
    )
    result, said = call["result"], seen["said"]
    print(f"heard: {[one.get('text') for one in result['transcript'] if one['who'] == 'agent']}")
    print(f"silent {result['timings']['clear_ms']} ms after it was talked over")
    print(f"marks: {[(one['mark'], round(one['seconds'], 2), round(one.get('returned_s', -1), 2)) for one in said]}")

    assert call["status"] == "completed" and "failed" not in result, call
    assert seen["call"] == {"kind": "twilio", "sid": sid}, seen
    heard = [one["text"] for one in result["transcript"] if one.get("matched")]
    assert heard == ["good morning", "stop please"], result
    assert result["hung_up_by"] == "rest", "the framework hangs up when its pipeline ends"

    assert seen["returned"] == ["said 1", "said 2", "said 3"], seen
    assert seen["interruptions"] == 1, seen
    whole, interrupted, last = said
    for one in (whole, last):
        assert one["returned_s"] >= one["seconds"] - 0.1, f"a mark came back before the audio was heard: {one}"
    assert interrupted["returned_s"] < interrupted["seconds"] - 0.5, f"clear gave no mark back: {interrupted}"
    (silent_ms,) = result["timings"]["clear_ms"]
    assert silent_ms < 1000, "clear empties the queue"


def main():
    emulator, parrot = free_address(), free_address()
    with running([PROGRAM, "emulator", "--listen", emulator], {}, f"http://{emulator}/healthz"):
        account = ask("GET", f"http://{emulator}/emulator/v1/account")
        settings = {
            "TWILIO_ACCOUNT_SID": account["account_sid"],
            "TWILIO_AUTH_TOKEN": account["auth_token"],
            "TWILIO_BASE_URL": f"http://{emulator}",
        }
        with running([sys.executable, str(HERE / "parrot.py"), parrot], settings, f"http://{parrot}/seen"):
            check(f"http://{emulator}", f"http://{parrot}")
    print("a public framework's server works with the emulator")


main()
