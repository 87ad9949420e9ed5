"""A public framework's server of Twilio calls: it says again what it hears.

The socket, the protocol and the pipeline are pipecat's own (`FastAPIWebsocketTransport`, `TwilioFrameSerializer`);
between its input and its output there is a parrot instead of a model. The parrot waits until the caller has fallen
silent, says it all again, and ends with a mark. Who speaks meanwhile interrupts it. The key 9 ends the pipeline, and
the framework then hangs up by REST.

`GET /seen` tells what the framework sent and got back.
"""

import collections
import json
import os
import sys
import time

import uvicorn
from fastapi import FastAPI, Response, WebSocket
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import (
    EndWorkerFrame,
    InputAudioRawFrame,
    InputDTMFFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

RATE = 8000
SILENCE_S = 0.5
SPEECH_S = 0.1
LOUD = 500
LONG_S = 3.0

HOST, PORT = sys.argv[1].split(":")
app = FastAPI()
seen = {"call": None, "said": [], "returned": [], "interruptions": 0, "over": False}


class Parrot(FrameProcessor):
    def __init__(self, stream_sid, serializer):
        super().__init__()
        self.stream_sid, self.serializer = stream_sid, serializer
        # What is kept of the time before a word: a fifth of a second.
        self.before = collections.deque(maxlen=10)
        self.heard = b""
        self.loud_s = self.quiet_s = 0.0

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.hear(frame.audio)
        elif isinstance(frame, InputDTMFFrame) and frame.button == KeypadEntry.NINE:
            await self.push_frame(EndWorkerFrame(), FrameDirection.UPSTREAM)
        else:
            await self.push_frame(frame, direction)

    async def hear(self, audio):
        seconds = len(audio) / (2 * RATE)
        if max(map(abs, memoryview(audio).cast("h")), default=0) > LOUD:
            self.loud_s, self.quiet_s = self.loud_s + seconds, 0.0
            if self.loud_s >= SPEECH_S and any("returned_s" not in said for said in seen["said"]):
                seen["interruptions"] += 1
                await self.broadcast_interruption()
                self.loud_s = -1e9
        else:
            self.quiet_s += seconds
        if self.heard:
            self.heard += audio
        elif self.loud_s:
            self.heard = b"".join(self.before) + audio
        self.before.append(audio)
        if self.heard and self.quiet_s >= SILENCE_S:
            audio, self.heard, self.loud_s = self.heard, b"", 0.0
            await self.say(audio)

    async def say(self, audio):
        name = f"said {len(seen['said']) + 1}"
        seen["said"].append({"mark": name, "seconds": len(audio) / (2 * RATE), "begun": time.monotonic()})
        spoken = OutputAudioRawFrame(audio, sample_rate=RATE, num_channels=1)
        if len(audio) > 2 * RATE * LONG_S:
            # All at once, past the pace of the framework's transport: what is not played yet waits at the other side.
            spoken = OutputTransportMessageFrame(json.loads(await self.serializer.serialize(spoken)))
        await self.push_frame(spoken)
        mark = {"event": "mark", "streamSid": self.stream_sid, "mark": {"name": name}}
        await self.push_frame(OutputTransportMessageFrame(mark))


class Watched(TwilioFrameSerializer):
    """The framework's serializer, which passes over marks; they are written down on their way."""

    async def deserialize(self, data):
        message = json.loads(data)
        if message["event"] == "mark":
            name = message["mark"]["name"]
            seen["returned"].append(name)
            for said in seen["said"]:
                if said["mark"] == name:
                    said["returned_s"] = time.monotonic() - said["begun"]
        return await super().deserialize(data)


@app.post("/voice")
def voice():
    twiml = f'<Response><Connect><Stream url="ws://{HOST}:{PORT}/ws"/></Connect></Response>'
    return Response(twiml, media_type="application/xml")


@app.get("/seen")
def show():
    return seen


@app.websocket("/ws")
async def stream(websocket: WebSocket):
    await websocket.accept()
    kind, call = await parse_telephony_websocket(websocket)
    seen["call"] = {"kind": kind, "sid": call["call_id"]}
    serializer = Watched(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        account_sid=os.environ["TWILIO_ACCOUNT_SID"],
        auth_token=os.environ["TWILIO_AUTH_TOKEN"],
        base_url=os.environ["TWILIO_BASE_URL"],
    )
    params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer)
    transport = FastAPIWebsocketTransport(websocket, params)
    worker = PipelineWorker(
        Pipeline([transport.input(), Parrot(call["stream_id"], serializer), transport.output()]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
    )

    @transport.event_handler("on_client_disconnected")
    async def gone(_transport, _websocket):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    seen["over"] = True


uvicorn.run(app, host=HOST, port=int(PORT), log_level="warning")
