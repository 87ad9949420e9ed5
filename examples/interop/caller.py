"""A minimal caller that plays Twilio towards any gateway: one webhook, one socket, one sentence, said twice.

    caller.py WEBHOOK ACCOUNT_SID AUTH_TOKEN FROM TO SENTENCE.wav

It waits for the greeting, says the sentence, and says it again a second into the answer, to be heard over it. The file
is 16 bit mono at 8 or 16 kHz. The last line of the output is JSON: the seconds of speech that were heard before,
while and after the sentence was said, and how many marks and clears there were. The code is 1 if nobody answered.
"""

import asyncio
import base64
import collections
import functools
import hashlib
import hmac
import json
import secrets
import sys
import urllib.parse
import urllib.request
import wave
from xml.etree import ElementTree

from websockets.asyncio.client import connect

FRAME, LOUD, ENOUGH, PATIENCE_S = 160, 600, 10, 30
LINEAR = [
    (((8 * (u & 15) + 132) << (u >> 4 & 7)) - 132) * (1 if u < 128 else -1) for u in (~c & 255 for c in range(256))
]
QUIET = b"\xff" * FRAME


@functools.cache
def encode(sample):
    return min(range(256), key=lambda code: abs(LINEAR[code] - sample))


def read(path):
    """The file as μ-law at 8 kHz, in frames of 20 ms."""
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), "16 bit mono, please"
        samples = memoryview(file.readframes(file.getnframes())).cast("h")
        step = file.getframerate() // 8000
    samples = [sum(samples[i : i + step]) // step for i in range(0, len(samples) - step, step)]
    sound = bytes(map(encode, samples))
    return [sound[i : i + FRAME].ljust(FRAME, b"\xff") for i in range(0, len(sound), FRAME)]


def signature(token, url, parameters=()):
    signed = url + "".join(name + value for name, value in sorted(parameters))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def ask(webhook, token, call):
    """The URL and the parameters of the stream that the webhook wants."""
    parameters = call | {"CallStatus": "ringing", "Direction": "inbound", "ApiVersion": "2010-04-01"}
    request = urllib.request.Request(webhook, urllib.parse.urlencode(parameters).encode())
    request.add_header("X-Twilio-Signature", signature(token, webhook, parameters.items()))
    with urllib.request.urlopen(request, timeout=15) as answer:
        stream = ElementTree.fromstring(answer.read()).find("./Connect/Stream")
    return stream.get("url"), {one.get("name"): one.get("value", "") for one in stream.findall("Parameter")}


class Ear:
    """Counts frames of speech, and those since the last of them."""

    speech = silence = 0

    def hear(self, frame):
        loud = max(abs(LINEAR[code]) for code in frame) > LOUD
        self.speech += loud
        self.silence = 0 if loud else self.silence + 1


async def main(webhook, account, token, caller, called, path):
    frames = read(path)
    call, stream = (kind + secrets.token_hex(16) for kind in ("CA", "MZ"))
    about = {"CallSid": call, "AccountSid": account, "From": caller, "To": called, "Caller": caller, "Called": called}
    url, custom = ask(webhook, token, about)
    upgrade = {"X-Twilio-Signature": signature(token, url)}
    async with connect(url, additional_headers=upgrade, proxy=None) as socket:
        counts, queue = collections.Counter(), collections.deque()

        async def send(event, **body):
            counts["sent"] += 1
            numbered = {"event": event, "sequenceNumber": str(counts["sent"]), "streamSid": stream}
            await socket.send(json.dumps(numbered | body))

        async def listen():
            """Takes what is to be played; marks wait in the queue for their turn."""
            async for text in socket:
                message = json.loads(text)
                counts[message["event"]] += 1
                if message["event"] == "media":
                    sound = base64.b64decode(message["media"]["payload"], validate=True)
                    queue.extend(sound[i : i + FRAME] for i in range(0, len(sound), FRAME))
                elif message["event"] == "mark":
                    queue.append(message["mark"])
                elif message["event"] == "clear":
                    marks = [one for one in queue if isinstance(one, dict)]
                    queue.clear()
                    queue.extend(marks)

        await socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        sound = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        facts = {"accountSid": account, "streamSid": stream, "callSid": call, "tracks": ["inbound"]}
        await send("start", start=facts | {"customParameters": custom, "mediaFormat": sound})
        listening = asyncio.create_task(listen())
        now = asyncio.get_running_loop().time
        # What is heard before a sentence, while it is said, after it, while it is said again, and at last.
        ears, sentence = [Ear() for _ in range(5)], collections.deque()
        begun, stage = now(), 0
        for number in range(PATIENCE_S * 50):
            await asyncio.sleep(max(0.0, begun + number / 50 - now()))
            while queue and isinstance(queue[0], dict):
                await send("mark", mark=queue.popleft())
                counts["returned"] += 1
            ear = ears[stage]
            ear.hear(queue.popleft() if queue else QUIET)
            # The first time it is said a second after the greeting, or after four seconds without one.
            greeted = stage == 0 and ear.silence >= (50 if ear.speech else 200)
            if greeted or (stage == 2 and ear.speech >= 50):
                sentence.extend(frames)
                stage += 1
            payload = sentence.popleft() if sentence else QUIET
            stage += stage in (1, 3) and not sentence
            media = {"track": "inbound", "chunk": str(number + 1), "timestamp": str(number * 20)}
            await send("media", media=media | {"payload": base64.b64encode(payload).decode()})
            if listening.done() or (stage == 4 and ear.speech > ENOUGH and ear.silence >= 75):
                break
        if not listening.done():
            await send("stop", stop={"accountSid": account, "callSid": call})
        listening.cancel()
    greeting, _, answer, talked_over, last = (ear.speech / 50 for ear in ears)
    heard = {"call": call, "greeting_s": greeting, "answer_s": answer, "talked_over_s": talked_over, "last_s": last}
    print(json.dumps(heard | {"marks": counts["mark"], "returned": counts["returned"], "clears": counts["clear"]}))
    return 0 if ears[4].speech > ENOUGH else 1


sys.exit(asyncio.run(main(*sys.argv[1:])))
