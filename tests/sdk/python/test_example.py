"""The script that the documentation shows, as a stranger runs it, and that the documentation shows it as it is."""

import os
import subprocess
import sys

from conftest import ACCOUNT
from emulator import PROGRAM, ROOT, running_emulator

SCRIPT = ROOT / "examples/emulator/text.py"
AGENT_TEST = ROOT / "examples/testing/test_agent.py"
ENDS_WITHIN_S = 30
PRINTED = "outbound-api delivered Table for two at seven?\ninbound received At eight, please\n"


def test_a_strangers_script_runs():
    with running_emulator(ACCOUNT) as url:
        environment = os.environ | {"EMULATOR_URL": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        ran = subprocess.run(
            [sys.executable, SCRIPT], env=environment, capture_output=True, text=True, timeout=ENDS_WITHIN_S
        )
    assert (ran.stdout, ran.returncode) == (PRINTED, 0), ran.stderr


def test_an_agent_is_tested_from_python():
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "TRUNKLINE_BIN": str(PROGRAM)}
    command = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", AGENT_TEST]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=2 * ENDS_WITHIN_S)
    assert "1 passed" in ran.stdout and ran.returncode == 0, ran.stdout + ran.stderr


def test_the_documentation_shows_the_scripts():
    assert SCRIPT.read_text().rstrip() in (ROOT / "docs/emulator.md").read_text()
    assert AGENT_TEST.read_text().rstrip() in (ROOT / "docs/testing.md").read_text()
