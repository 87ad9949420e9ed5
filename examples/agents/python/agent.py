#!/usr/bin/env python3
"""An agent that the gateway asks by HTTP. Needs nothing but Python 3.9 or later.

    TRUNKLINE_AGENT_SECRET=... ./agent.py --listen 127.0.0.1:9000

It counts what a person says, remembers the count, and answers as a stream, word by word. The same secret, and
TRUNKLINE_AGENT=http TRUNKLINE_AGENT_URL=http://127.0.0.1:9000/turn, go to the gateway.
"""

import argparse
import hashlib
import hmac
import json
import os
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY_BYTES = 1 << 20
# A signature that is older, or further in the future, is not taken: somebody may have kept the request.
MAX_AGE_SECONDS = 300


def is_signed(secret, header, body):
    """Whether the gateway made this request: HMAC-SHA256 over the time, a dot and the body."""
    found = re.fullmatch(r"t=(\d{1,12}),v1=([0-9a-f]{64})", header or "")
    if not found or abs(time.time() - int(found[1])) > MAX_AGE_SECONDS:
        return False
    wanted = hmac.new(secret.encode(), f"{found[1]}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, found[2])


def answer(turn):
    """What to say to a turn, and what to remember."""
    count = int(turn["memories"].get("count", "0")) + len(turn["input"])
    said = " / ".join(turn["input"])
    return f"You said: {said}. That makes {count}.", {"count": str(count)}


class Handler(BaseHTTPRequestHandler):
    secret = ""
    pause = 0.0

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if self.path != "/turn" or not 0 < length <= MAX_BODY_BYTES:
            return self.send_error(400)
        body = self.rfile.read(length)
        if not is_signed(self.secret, self.headers.get("trunkline-signature"), body):
            return self.send_error(401)
        turn = json.loads(body)
        # Names and numbers only: what people write has no place in a log.
        print(f"agent: {turn['turn']}, attempt {turn['attempt']}", file=sys.stderr, flush=True)
        text, memories = answer(turn)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for piece in re.findall(r"\S+\s*", text):
            self.event("text", {"text": piece})
            time.sleep(self.pause)
        for name, value in memories.items():
            self.event("remember", {"name": name, "value": value})
        # Without this the answer counts as cut off, and is not sent.
        self.event("done", {})

    def event(self, kind, data):
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        """The line of each turn is enough."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:9000", metavar="ADDR")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="between two words")
    args = parser.parse_args()
    Handler.secret = os.environ.get("TRUNKLINE_AGENT_SECRET", "")
    Handler.pause = args.pause
    if not Handler.secret:
        raise SystemExit("agent: TRUNKLINE_AGENT_SECRET is not set; it is what the gateway signs its requests with")
    host, _, port = args.listen.rpartition(":")
    with ThreadingHTTPServer((host, int(port)), Handler) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
