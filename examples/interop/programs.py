"""Starts programs on free ports of this machine, and asks them things. Knows nothing of calls."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

READY_WITHIN_S = 60
STOPPED_WITHIN_S = 20
FOREIGN_SETTINGS = ("TWILIO_", "TRUNKLINE_", "OTEL_", "OPENAI_")
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def running(command, settings, ready_url, folder=None):
    """Runs a program until the block ends. Its output is shown if it did not end well."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)}
    process = subprocess.Popen(
        command,
        env=own | settings,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    try:
        within(READY_WITHIN_S, f"{ready_url} answers", lambda: process.poll() is not None or answers(ready_url))
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}")
        yield
    except BaseException:
        print("".join(lines))
        raise
    finally:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def within(seconds, what, condition):
    """Asks `condition` until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        threading.Event().wait(0.05)
    return found


def answers(url):
    with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        ask("GET", url)
        return True
    return False


def ask(method, url, body=None, headers=None):
    """The answer's JSON, or its text if it is none. A `dict` goes out as JSON."""
    if isinstance(body, dict):
        body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers or {}, method=method)
    with _opener.open(request, timeout=20) as answer:
        text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text
