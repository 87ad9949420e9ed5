"""Every document that the SDK's builder can make is understood: no error and no unknown attribute is noted.

The builder's methods are asked for their parameters, so that what a newer SDK adds is tried as well.
"""

import inspect

import pytest
from twilio.twiml import voice_response as builder

from telephone import finished

# What a parameter is given; one that is not here gets a text.
VALUES = {
    "action": "/action",
    "action_on_empty_result": True,
    "answer_on_bridge": True,
    "asr_smart_format": True,
    "audio_format": "mulaw",
    "backgroundNoiseReduction": True,
    "barge_in": True,
    "debug": True,
    "deepgramSmartFormat": True,
    "dtmf_detection": True,
    "eager_eot_threshold": "0.5",
    "enable_automatic_punctuation": True,
    "enhanced": True,
    "finish_on_key": "#",
    "hangup_on_star": True,
    "hints": "one, two",
    "ignoreBackchannel": True,
    "input": "dtmf speech",
    "interrupt_sensitivity": "low",
    "interruptible": "speech",
    "language": "en-US",
    "length": 2,
    "loop": 2,
    "machine_detection": "Enable",
    "machine_detection_silence_timeout": 3000,
    "machine_detection_speech_end_threshold": 1200,
    "machine_detection_speech_threshold": 2400,
    "machine_detection_timeout": 20,
    "max_length": 20,
    "max_speech_time": 20,
    "num_digits": 4,
    "partial_prompt_on_hangup": True,
    "partial_prompts": True,
    "partial_results": True,
    "phone_number": "+15550001111",
    "play_beep": True,
    "preemptible": True,
    "profanity_filter": True,
    "reason": "busy",
    "record": "record-from-answer-dual",
    "recording_track": "both",
    "report_input_during_agent_speech": "any",
    "sample_rate": 8000,
    "sequential": True,
    "speechTimeout": "auto",
    "speech_timeout": "auto",
    "time_limit": 60,
    "timeout": 5,
    "track": "inbound_track",
    "transcribe": True,
    "trim": "trim-silence",
    "tts_provider": "google",
    "welcome_greeting_interruptible": "none",
}
# Text between tags, and what has none.
TEXTS = {"number": "+15550001111", "message": "Hello", "digits": "12"}

VERBS = ["say", "play", "gather", "record", "redirect", "pause", "reject", "hangup", "dial", "connect", "start", "stop"]
NOUNS = [
    ("dial", "number"),
    ("dial", "client"),
    ("dial", "sip"),
    ("dial", "conference"),
    ("dial", "queue"),
    ("gather", "say"),
    ("gather", "play"),
    ("gather", "pause"),
    ("connect", "stream"),
    ("connect", "conversation_relay"),
    ("start", "stream"),
    ("start", "transcription"),
    ("stop", "stream"),
    ("stop", "transcription"),
]
INNER = [
    ("connect", "stream", "parameter"),
    ("connect", "conversation_relay", "language"),
    ("connect", "conversation_relay", "parameter"),
    ("start", "transcription", "config"),
]
# SSML.
SPEECH = ["break_", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say_as", "sub", "w"]
PATHS = [(verb,) for verb in VERBS] + NOUNS + INNER + [("say", element) for element in SPEECH]


def value(name):
    if name in VALUES:
        return VALUES[name]
    if name in TEXTS:
        return TEXTS[name]
    if name.endswith("method"):
        return "GET"
    if name.endswith("event"):
        return "completed"
    if name.endswith(("url", "callback")):
        return "wss://example.com/socket" if name == "url" else "/callback"
    return "text"


def add(parent, name, everything):
    """Calls a method of the builder with all that it takes, or with what it must have."""
    method = getattr(parent, name)
    parameters = [one for one in inspect.signature(method).parameters.values() if one.kind is not one.VAR_KEYWORD]
    wanted = [one.name for one in parameters if everything or one.default is one.empty]
    arguments = {name: value(name) for name in wanted}
    # A number as text and <Number> exclude each other.
    if name == "dial":
        arguments.pop("number", None)
    # There is nothing to play without a file.
    if name == "play":
        arguments["url"] = "/sound.wav"
    return method(**arguments)


@pytest.mark.parametrize("everything", [True, False], ids=["all", "bare"])
@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_what_the_builder_makes_is_understood(call, client, path, everything):
    document = builder.VoiceResponse()
    # What follows is read and not carried out.
    document.hangup()
    element = document
    for name in path[:-1]:
        element = add(element, name, everything=False)
    element = add(element, path[-1], everything)
    # These are nothing without what they hold.
    holds = {"connect": "stream", "start": "stream", "stop": "stream", "dial": "number"}
    if len(path) == 1 and path[0] in holds:
        add(element, holds[path[0]], everything=False)
    made = finished(call(twiml=str(document)))
    noted = [(note.error_code, note.message_text) for note in client.calls(made.sid).notifications.list()]
    assert noted == [], str(document)


@pytest.mark.parametrize(
    ("document", "code", "level"),
    [
        ("<Response><Hangup/><Say vocie='alice'>Hello</Say></Response>", "12200", "1"),
        ("<Response><Hangup/><Dial><Number Url='/x'>+15550001111</Number></Dial></Response>", "12200", "1"),
        ("<Response><Hangup/><Say>Hello</Response>", "12100", "0"),
        ("Hello", "12100", "0"),
    ],
)
def test_what_is_wrong_is_noted(call, client, document, code, level):
    made = finished(call(twiml=document))
    (note,) = client.calls(made.sid).notifications.list()
    assert (note.error_code, note.log) == (code, level)
