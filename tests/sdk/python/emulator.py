"""Runs `trunkline emulator` for the tests and points the official SDK at it.

The SDK itself is not changed: its HTTP client is replaced, which is the extension point that it documents, by one
that sends what was meant for Twilio's hosts to the emulator.
"""

import contextlib
import json
import os
import queue
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from twilio.http.http_client import TwilioHttpClient

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / os.environ.get("TRUNKLINE_BIN", "target/debug/trunkline")
READY_WITHIN_S = 30
STOPPED_WITHIN_S = 20
ANSWER_WITHIN_S = 10
FOREIGN_SETTINGS = ("TWILIO_", "TRUNKLINE_", "OTEL_", "OPENAI_", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class LocalHttpClient(TwilioHttpClient):
    """Sends requests for `*.twilio.com` to the emulator; links that the emulator gave are followed as they are."""

    def __init__(self, base_url):
        super().__init__(timeout=ANSWER_WITHIN_S)
        self.base = urlsplit(base_url)
        self.session.trust_env = False
        self.requests = 0

    def request(self, method, url, *args, **kwargs):
        target = urlsplit(url)
        if target.netloc.endswith(".twilio.com"):
            url = urlunsplit((self.base.scheme, self.base.netloc, target.path, target.query, ""))
        elif target.netloc != self.base.netloc:
            raise AssertionError(f"the SDK was sent to a foreign host: {target.netloc}")
        self.requests += 1
        return super().request(method, url, *args, **kwargs)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_emulator(settings):
    """Yields the address of an emulator with `settings` as its environment, and ends it afterwards."""
    if not os.access(PROGRAM, os.X_OK):
        raise FileNotFoundError(f'no program at {PROGRAM}: run "cargo build" first, or name one in TRUNKLINE_BIN')
    address = f"127.0.0.1:{free_port()}"
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)}
    process = subprocess.Popen(
        [PROGRAM, "emulator", "--listen", address],
        env=own | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors = []
    reader = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
    reader.start()
    try:
        base_url = f"http://{address}"
        wait_until_ready(process, base_url, errors)
        yield base_url
    finally:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def wait_until_ready(process, base_url, errors):
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            get(base_url, "/healthz")
            return
        if process.poll() is not None:
            raise RuntimeError(f"the emulator ended with {process.returncode}:\n{''.join(errors)}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the emulator was not ready within {READY_WITHIN_S} s:\n{''.join(errors)}")
        threading.Event().wait(0.02)


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(base_url, path):
    with _opener.open(base_url + path, timeout=ANSWER_WITHIN_S) as answer:
        return answer.read()


def control(base_url, method, path, body=None):
    """A request to the emulator's own API; `body` goes out as JSON. Returns the answer's JSON, if there is any."""
    request = urllib.request.Request(
        f"{base_url}/emulator/v1{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with _opener.open(request, timeout=ANSWER_WITHIN_S) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def send_text(base_url, **text):
    """A person texts: `sender`, `body`, and `channel` if it is not SMS."""
    payload = {"from": text["sender"], "body": text["body"], "channel": text.get("channel", "sms")}
    return control(base_url, "POST", "/messages", payload)


class WebhookReceiver:
    """An HTTP server for webhooks. `answer` is the status that it gives; `next` waits for what arrives."""

    def __init__(self):
        self.arrived = queue.Queue(maxsize=1000)
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                receiver.arrived.put(
                    {
                        "path": self.path,
                        "signature": self.headers.get("X-Twilio-Signature", ""),
                        "parameters": dict(parse_qsl(body, keep_blank_values=True)),
                    }
                )
                self.send_response(receiver.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks?from=emulator"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        return self.arrived.get(timeout=ANSWER_WITHIN_S)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
