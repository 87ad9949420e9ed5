//! The verbs that listen, call or record.

use super::attribute::{GatherInput, HttpMethod, SpeechTimeout, attributes};
use super::verbs::{Pause, Play, Say};

attributes! {
    /// `<Gather>`: collect digits or speech, while the prompts inside are played.
    Gather {
        /// Default `dtmf`.
        input: GatherInput = "input",
        /// Where the input is posted. Default: the document's own URL.
        action: String = "action",
        /// Of `action`. Default POST.
        method: HttpMethod = "method",
        /// Seconds without input until it gives up, and between digits. Default 5.
        timeout: u32 = "timeout",
        /// Silence that ends speech, in seconds. Default: `timeout`.
        speech_timeout: SpeechTimeout = "speechTimeout",
        /// Longest speech in seconds. Default 60.
        max_speech_time: u32 = "maxSpeechTime",
        /// The key that ends digits; empty for none. Default `#`.
        finish_on_key: String = "finishOnKey",
        /// Digits that end it. Default: no limit.
        num_digits: u32 = "numDigits",
        /// Told of what is understood so far.
        partial_result_callback: String = "partialResultCallback",
        /// Of `partial_result_callback`. Default POST.
        partial_result_callback_method: HttpMethod = "partialResultCallbackMethod",
        /// Default `en-US`.
        language: String = "language",
        /// Phrases to expect, separated by commas.
        hints: String = "hints",
        /// Whether speech ends the prompts. Default true.
        barge_in: bool = "bargeIn",
        /// Default true.
        profanity_filter: bool = "profanityFilter",
        /// Whether `action` is requested without input as well. Default false.
        action_on_empty_result: bool = "actionOnEmptyResult",
        /// The recogniser's model.
        speech_model: String = "speechModel",
        /// Default false.
        enhanced: bool = "enhanced",
        /// Default false.
        debug: bool = "debug",
    }
    contents {
        /// What is played meanwhile.
        prompts: Vec<Prompt>,
    }
}

/// What may be inside `<Gather>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Speak.
    Say(Say),
    /// Play.
    Play(Play),
    /// Wait.
    Pause(Pause),
}

attributes! {
    /// `<Dial>`: call somebody else and join both.
    Dial {
        /// Requested when it is over, with how it went. Default: the document goes on.
        action: String = "action",
        /// Of `action`. Default POST.
        method: HttpMethod = "method",
        /// How long it may ring, in seconds. Default 30.
        timeout: u32 = "timeout",
        /// Whether `*` of the caller ends the other call. Default false.
        hangup_on_star: bool = "hangupOnStar",
        /// Longest call in seconds. Default 14400.
        time_limit: u32 = "timeLimit",
        /// Shown to the one who is called. Default: the caller's number.
        caller_id: String = "callerId",
        /// `do-not-record` (default), `record-from-answer`, `record-from-ringing`, each also with `-dual`.
        record: String = "record",
        /// `trim-silence` or `do-not-trim` (default).
        trim: String = "trim",
        /// Told of the recording.
        recording_status_callback: String = "recordingStatusCallback",
        /// Of `recording_status_callback`. Default POST.
        recording_status_callback_method: HttpMethod = "recordingStatusCallbackMethod",
        /// Which events, separated by spaces. Default `completed`.
        recording_status_callback_event: String = "recordingStatusCallbackEvent",
        /// How recordings are kept.
        recording_configuration_id: String = "recordingConfigurationId",
        /// `both` (default), `inbound` or `outbound`.
        recording_track: String = "recordingTrack",
        /// Whether the caller hears ringing until somebody answers. Default false.
        answer_on_bridge: bool = "answerOnBridge",
        /// Country of the ringing.
        ring_tone: String = "ringTone",
        /// One after the other instead of all at once. Default false.
        sequential: bool = "sequential",
        /// Proofs of the caller.
        passports: String = "passports",
        /// Requested when the other side refers the call.
        refer_url: String = "referUrl",
        /// Of `refer_url`. Default POST.
        refer_method: HttpMethod = "referMethod",
        /// Reported events.
        events: String = "events",
    }
    contents {
        /// Who is called. A text without an element is a number.
        targets: Vec<DialTarget>,
    }
}

/// Whom `<Dial>` calls.
#[expect(clippy::large_enum_variant, reason = "a document has few of them, for a moment")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialTarget {
    /// A telephone number.
    Number(Number),
    /// A client of the voice SDK, by its identity.
    Client(String),
    /// A SIP address.
    Sip(String),
    /// A conference, by its name.
    Conference(String),
    /// A queue, by its name.
    Queue(String),
}

attributes! {
    /// `<Number>`: a telephone number to call.
    Number {
        /// A document for the one who answers, before both are joined.
        url: String = "url",
        /// Of `url`. Default POST.
        method: HttpMethod = "method",
        /// Played when it is answered.
        send_digits: String = "sendDigits",
        /// Told of the call's way.
        status_callback: String = "statusCallback",
        /// Of `status_callback`. Default POST.
        status_callback_method: HttpMethod = "statusCallbackMethod",
        /// Which events, separated by spaces. Default `completed`.
        status_callback_event: String = "statusCallbackEvent",
        /// `Enable` or `DetectMessageEnd`.
        machine_detection: String = "machineDetection",
        /// Seconds. Default 30.
        machine_detection_timeout: u32 = "machineDetectionTimeout",
        /// The longest that a person's greeting is, in milliseconds.
        machine_detection_speech_threshold: u32 = "machineDetectionSpeechThreshold",
        /// The silence that ends a greeting, in milliseconds.
        machine_detection_speech_end_threshold: u32 = "machineDetectionSpeechEndThreshold",
        /// The silence without any greeting, in milliseconds.
        machine_detection_silence_timeout: u32 = "machineDetectionSilenceTimeout",
        /// Told who answered.
        amd_status_callback: String = "amdStatusCallback",
        /// Of `amd_status_callback`. Default POST.
        amd_status_callback_method: HttpMethod = "amdStatusCallbackMethod",
        /// The SID of an own trunk.
        byoc: String = "byoc",
    }
    contents {
        /// In E.164 form.
        number: String,
    }
}

impl Dial {
    /// Calls one number.
    pub fn number(number: impl Into<String>) -> Self {
        let number = Number { number: number.into(), ..Number::default() };
        Self { targets: vec![DialTarget::Number(number)], ..Self::default() }
    }
}

attributes! {
    /// `<Record>`: record the caller.
    Record {
        /// Where the recording is posted. Default: the document's own URL.
        action: String = "action",
        /// Of `action`. Default POST.
        method: HttpMethod = "method",
        /// Silence that ends it, in seconds. Default 5.
        timeout: u32 = "timeout",
        /// Keys that end it. Default: any.
        finish_on_key: String = "finishOnKey",
        /// Longest recording in seconds. Default 3600.
        max_length: u32 = "maxLength",
        /// Whether a tone comes first. Default true.
        play_beep: bool = "playBeep",
        /// `trim-silence` (default) or `do-not-trim`.
        trim: String = "trim",
        /// Told of the recording.
        recording_status_callback: String = "recordingStatusCallback",
        /// Of `recording_status_callback`. Default POST.
        recording_status_callback_method: HttpMethod = "recordingStatusCallbackMethod",
        /// Which events, separated by spaces. Default `completed`.
        recording_status_callback_event: String = "recordingStatusCallbackEvent",
        /// How recordings are kept.
        recording_configuration_id: String = "recordingConfigurationId",
        /// Whether it is put into words. Default false.
        transcribe: bool = "transcribe",
        /// Told of the words.
        transcribe_callback: String = "transcribeCallback",
    }
}
