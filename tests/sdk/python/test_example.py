"""The script that the documentation shows, as a stranger runs it, and that the documentation shows it as it is."""

import os
import subprocess
import sys

from conftest import ACCOUNT
from emulator import ROOT, running_emulator

SCRIPT = ROOT / "examples/emulator/text.py"
ENDS_WITHIN_S = 30
PRINTED = "outbound-api delivered Table for two at seven?\ninbound received At eight, please\n"


def test_a_strangers_script_runs():
    with running_emulator(ACCOUNT) as url:
        environment = os.environ | {"EMULATOR_URL": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        ran = subprocess.run(
            [sys.executable, SCRIPT], env=environment, capture_output=True, text=True, timeout=ENDS_WITHIN_S
        )
    assert (ran.stdout, ran.returncode) == (PRINTED, 0), ran.stderr


def test_the_documentation_shows_the_script():
    assert SCRIPT.read_text().rstrip() in (ROOT / "docs/emulator.md").read_text()
