"""An agent uses the tools of the example MCP server, which the official SDK serves: over its standard streams and over
HTTP, also after the server was killed."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emulator import FOREIGN_SETTINGS, PROGRAM, ROOT, free_port

SERVER = ROOT / "examples/tools/mcp_server.py"
ADA = "+15550001111"


class Model(BaseHTTPRequestHandler):
    """Chat Completions: asks for the order that the person names, and says what the tool gave."""

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        messages = question["messages"]
        if messages[-1]["role"] == "tool":
            # What a tool gives stands between marks.
            given = messages[-1]["content"].removeprefix("<data>\n").removesuffix("\n</data>")
            delta, reason = {"content": given}, "stop"
        else:
            tool = next(tool["function"] for tool in question["tools"] if tool["function"]["name"].startswith("shop__"))
            arguments = json.dumps({"number": int(messages[-1]["content"])})
            call = {"index": 0, "id": "call_1", "type": "function",
                    "function": {"name": tool["name"], "arguments": arguments}}
            delta, reason = {"tool_calls": [call]}, "tool_calls"
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                 "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def model():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()


class Gateway:
    def __init__(self, folder, model, mcp):
        (folder / "trunkline.toml").write_text(
            f'[agent]\nkind = "chat"\nmodel = "m"\nbase_url = "{model}"\n\n[mcp.shop]\n{mcp}\n'
        )
        self.address, self.emulator = (f"127.0.0.1:{free_port()}" for _ in range(2))
        command = [PROGRAM, "up", "--listen", self.address, "--emulator-listen", self.emulator]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)}
        self.program = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: ask(f"http://{self.address}/readyz")["ready"])

    def answer(self, text):
        control = f"http://{self.emulator}/emulator/v1"

        def received():
            messages = ask(f"{control}/phones/{ADA}/messages")["messages"]
            return [message["body"] for message in messages if message["direction"] == "received"]

        before = len(received())
        ask(f"{control}/messages", {"from": ADA, "body": text})
        return until(lambda: received()[before:])[0]

    def stop(self):
        self.program.terminate()
        self.program.wait(timeout=20)


def test_a_program_gives_its_tools_again_after_it_was_killed(model, tmp_path):
    mark = f"mark-{os.getpid()}"
    gateway = Gateway(tmp_path, model, f'command = ["{sys.executable}", "{SERVER}", "{mark}"]')
    try:
        assert gateway.answer("7") == "order 7 is on its way"
        assert gateway.answer("9") == "order 9 is not known here"
        subprocess.run(["pkill", "-KILL", "-f", mark], check=True)
        assert gateway.answer("8") == "order 8 is waiting for you in the shop"
    finally:
        gateway.stop()
    until(lambda: subprocess.run(["pgrep", "-f", mark], check=False, stdout=subprocess.DEVNULL).returncode == 1)


def test_a_server_behind_a_url_gives_its_tools(model, tmp_path):
    port = free_port()
    server = subprocess.Popen([sys.executable, SERVER, "--http", str(port)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: port_is_open(port))
        gateway = Gateway(tmp_path, model, f'url = "http://127.0.0.1:{port}/mcp"')
        try:
            assert gateway.answer("7") == "order 7 is on its way"
        finally:
            gateway.stop()
    finally:
        server.kill()
        server.wait()


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data), timeout=5) as answer:
        return json.load(answer)


def until(check):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if found := check():
                return found
        except OSError:
            pass  # It starts, or is not ready yet.
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def port_is_open(port):
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
