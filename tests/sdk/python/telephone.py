"""What tests of calls need: a server of documents, phones that answer by rule, and patience.

Nothing here waits for a time to pass. A call that is to go on for a while runs the document of `ticking`, which asks
the server for itself again after each second; whoever takes those requests counts the seconds of the call.
"""

import collections
import io
import json
import queue
import threading
import time
import urllib.request
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from twilio.request_validator import RequestValidator
from websockets.sync.server import serve

from emulator import ANSWER_WITHIN_S, control

OVER = {"completed", "busy", "failed", "no-answer", "canceled"}
CALL_WITHIN_S = 30


def eventually(what, condition, within_s=CALL_WITHIN_S):
    """Asks `condition` until it gives something true, and returns that. `what` is named when it never did."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        threading.Event().wait(0.02)
    return found


def reached(call, *statuses):
    """Fetches `call` until it has one of `statuses`."""

    def there():
        fetched = call.fetch()
        if fetched.status in statuses:
            return fetched
        assert fetched.status not in OVER, f"the call is {fetched.status}, not one of {statuses}"
        return None

    return eventually(f"the call is {' or '.join(statuses)}", there)


def finished(call):
    return reached(call, *OVER)


class VoiceServer:
    """An HTTP server that answers webhooks of calls and keeps what arrived, path by path.

    Every request must have a signature that Twilio's own validator accepts; one that has not fails whoever takes it.
    """

    def __init__(self, auth_token):
        self.documents = {}
        self.files = {}
        self._arrived = collections.defaultdict(lambda: queue.Queue(maxsize=1000))
        self._validator = RequestValidator(auth_token)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                if parts.path in server.files:
                    return self.reply(200, "audio/wav", server.files[parts.path])
                return self.webhook(dict(parse_qsl(parts.query, keep_blank_values=True)), {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                parameters = dict(parse_qsl(body, keep_blank_values=True))
                return self.webhook(parameters, parameters)

            def webhook(self, parameters, signed):
                path = urlsplit(self.path).path
                genuine = server._validator.validate(
                    server.base + self.path, signed, self.headers.get("X-Twilio-Signature", "")
                )
                server._arrived[path].put((genuine, self.command, parameters))
                document = server.documents.get(path)
                if document is None:
                    return self.reply(204, "text/plain", b"")
                if isinstance(document, int):
                    return self.reply(document, "text/plain", b"no document today")
                text = document(parameters) if callable(document) else document
                return self.reply(200, "text/xml", str(text).encode())

            def reply(self, status, content_type, body):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return self.base + path

    def document(self, path, document):
        """Answers at `path` with TwiML, with what a function makes of the parameters, or with an error's status."""
        self.documents[path] = document
        return self.url(path)

    def file(self, path, content):
        self.files[path] = content
        return self.url(path)

    def ticking(self, path="/tick"):
        """A document that keeps a call up and asks for itself each second."""
        return self.document(path, f'<Response><Pause length="1"/><Redirect>{path}</Redirect></Response>')

    def next(self, path, method="POST", within_s=CALL_WITHIN_S):
        """The parameters of the next request for `path`."""
        try:
            genuine, used, parameters = self._arrived[path].get(timeout=within_s)
        except queue.Empty:
            raise AssertionError(f"nothing asked for {path} within {within_s} s") from None
        assert genuine, f"the request for {path} has no good signature"
        assert used == method
        return parameters

    def nothing_at(self, path):
        """Whether everything that arrived at `path` was taken."""
        return self._arrived[path].empty()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Telephones:
    """The emulator's phones: how they answer, and what somebody with a script lives through."""

    def __init__(self, base_url):
        self.base_url = base_url

    def answer(self, number, rule, **more):
        """`answer`, `busy`, `no_answer`, `reject`, `machine` with a greeting, or `script` with steps."""
        return control(self.base_url, "PUT", f"/phones/{number}/answering", {"rule": rule} | more)

    def dial(self, number, steps, **more):
        """Somebody calls the account's number and does what `steps` say. Returns the call's SID."""
        return control(self.base_url, "POST", "/calls", {"from": number, "steps": steps} | more)["sid"]

    def result(self, sid):
        """What came of a script, once its call is over."""

        def over():
            shown = control(self.base_url, "GET", f"/calls/{sid}")
            return shown["result"] if shown["status"] in OVER else None

        result = eventually("the script is over", over, 60)
        assert "failed" not in result, result
        return result

    def heard(self, sid):
        """The expected phrases that the script's person heard; `None` stands for one that was not understood."""
        return [
            said["text"] if said["matched"] else None for said in self.result(sid)["transcript"] if "matched" in said
        ]


def download(url, account):
    """The file of a recording."""
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(
        None, url, account["TWILIO_ACCOUNT_SID"], account["TWILIO_AUTH_TOKEN"], is_authenticated=True
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords)
    )
    with opener.open(url, timeout=ANSWER_WITHIN_S) as answer:
        assert answer.headers["Content-Type"] == "audio/x-wav"
        return Sound(answer.read())


class Sound:
    """A WAV file: its channels, its length and how loud each channel is."""

    def __init__(self, content):
        with wave.open(io.BytesIO(content)) as file:
            self.channels = file.getnchannels()
            self.rate = file.getframerate()
            self.sample_bytes = file.getsampwidth()
            self.seconds = file.getnframes() / self.rate
            samples = memoryview(file.readframes(file.getnframes())).cast("h")
        self.peaks = [max(map(abs, samples[channel :: self.channels]), default=0) for channel in range(self.channels)]


class SocketServer:
    """A WebSocket server that calls are handed to; `next` gives what arrived, `None` at the end.

    `answer` is asked about each message, as JSON, and gives the messages to send back. `CLOSE` among them closes.
    """

    CLOSE = object()

    def __init__(self, auth_token, answer=lambda _: ()):
        self.arrived = queue.Queue(maxsize=10_000)
        validator = RequestValidator(auth_token)

        def handle(connection):
            signature = connection.request.headers.get("X-Twilio-Signature", "")
            self.arrived.put(validator.validate(self.url, {}, signature))
            for text in connection:
                message = json.loads(text)
                self.arrived.put(message)
                for reply in answer(message):
                    if reply is self.CLOSE:
                        connection.close()
                    else:
                        connection.send(json.dumps(reply))
            self.arrived.put(None)

        self.server = serve(handle, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/socket"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, event=None):
        """The next message, or the next with this `event` or `type`."""
        while True:
            message = self.arrived.get(timeout=CALL_WITHIN_S)
            if event is None or message is None or event in (message.get("event"), message.get("type")):
                return message

    def opened(self):
        assert self.arrived.get(timeout=CALL_WITHIN_S) is True, "the upgrade has a good signature"

    def close(self):
        self.server.shutdown()
