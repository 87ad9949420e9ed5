//! Real-time transcription: what both sides say, told sentence by sentence.
//!
//! The ear needs phrases to expect: without `hints` there is nothing to tell, and an error says so.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};
use trunkline_proto::sid::{AnySid, TranscriptionSid};
use trunkline_proto::twiml;

use super::clip::Frame;
use super::leg::Leg;
use super::plane::Heard;
use super::stream::{Beside, BesideKind, tracks};
use super::studio::phrases;
use crate::clock::iso_millis;
use crate::state::events::{Params, Target};

/// A transcription as a document or a request asks for it.
#[derive(Debug, Clone)]
pub(crate) struct TranscriptionPlan {
    pub(crate) name: Option<String>,
    pub(crate) track: twiml::Track,
    pub(crate) callback: Option<Target>,
    pub(crate) language: String,
    pub(crate) engine: String,
    pub(crate) hints: Option<String>,
}

impl TranscriptionPlan {
    pub(super) fn of(asked: &twiml::Transcription, callback: Option<Target>) -> Self {
        Self {
            name: asked.name.clone(),
            track: asked.track.unwrap_or(twiml::Track::Both),
            callback,
            language: asked.language_code.clone().unwrap_or_else(|| LANGUAGE.to_owned()),
            engine: asked.transcription_engine.clone().unwrap_or_else(|| ENGINE.to_owned()),
            hints: asked.hints.clone(),
        }
    }
}

/// One side's speech.
struct Side {
    track: &'static str,
    detector: SpeechDetector,
    now_ms: u64,
    audio: Vec<u8>,
    speaking: bool,
}

/// Tells what happens, in order.
struct Teller<'a> {
    leg: &'a Leg,
    plan: &'a TranscriptionPlan,
    sid: TranscriptionSid,
    sequence: u64,
}

impl Leg {
    /// Begins a transcription. Nothing if the call has as many things beside it as it may have.
    pub(crate) fn start_transcription(self: &Arc<Self>, plan: TranscriptionPlan) -> Option<(TranscriptionSid, String)> {
        let sid = TranscriptionSid::from_random(rand::random());
        let name = plan.name.clone().unwrap_or_else(|| sid.to_string());
        let stop = CancellationToken::new();
        let (inbound, outbound) = tracks(Some(plan.track));
        let one = Beside { kind: BesideKind::Transcription, sid: sid.into(), name: name.clone(), stop: stop.clone() };
        let frames = self.plane().beside(one, inbound, outbound)?;
        let leg = Arc::clone(self);
        let work = async move {
            run(&leg, &plan, sid, frames, &stop).await;
            leg.plane().beside.retain(|one| one.sid != AnySid::from(sid));
        };
        self.net.calls().spawn(work.instrument(tracing::debug_span!("emulator.transcription", %sid)));
        Some((sid, name))
    }
}

async fn run(
    leg: &Leg,
    plan: &TranscriptionPlan,
    sid: TranscriptionSid,
    mut frames: mpsc::Receiver<Heard>,
    stop: &CancellationToken,
) {
    let mut teller = Teller { leg, plan, sid, sequence: 0 };
    let expected = phrases(plan.hints.as_deref());
    teller.tell(
        "transcription-started",
        vec![("Track", plan.track.as_str().to_owned()), ("TranscriptionEngine", plan.engine.clone())],
    );
    if expected.is_empty() {
        teller.tell("transcription-error", vec![("TranscriptionError", NO_HINTS.to_owned())]);
    }
    let (mut inbound, mut outbound) = (Side::new("inbound_track"), Side::new("outbound_track"));
    loop {
        let heard = tokio::select! {
            () = leg.ended() => break,
            () = stop.cancelled() => break,
            heard = frames.recv() => heard,
        };
        let (side, frame) = match heard {
            Some(Heard::Inbound(frame, _)) => (&mut inbound, frame),
            Some(Heard::Outbound(frame, _)) => (&mut outbound, frame),
            Some(Heard::Digit(_)) => continue,
            None => break,
        };
        let Some(audio) = side.hear(&frame).filter(|_| !expected.is_empty()) else { continue };
        match leg.net.studio().understand(&audio, &expected).await {
            Ok(text) if text.is_empty() => {}
            Ok(text) => teller.tell(
                "transcription-content",
                vec![
                    ("Track", side.track.to_owned()),
                    ("TranscriptionData", json!({"transcript": text, "confidence": 0.9}).to_string()),
                    ("Final", "true".to_owned()),
                ],
            ),
            Err(problem) => teller.tell("transcription-error", vec![("TranscriptionError", problem.to_string())]),
        }
    }
    teller.tell("transcription-stopped", Vec::new());
}

impl Side {
    fn new(track: &'static str) -> Self {
        let settings = SpeechSettings { hangover_ms: SILENCE_MS, ..SpeechSettings::default() };
        Self { track, detector: SpeechDetector::new(settings), now_ms: 0, audio: Vec::new(), speaking: false }
    }

    /// A whole utterance, when it has ended.
    fn hear(&mut self, frame: &Frame) -> Option<Vec<u8>> {
        let mut samples = [0_i16; FRAME_SAMPLES];
        g711::decode_into(frame, &mut samples);
        let event = self.detector.push(self.now_ms, &samples);
        self.now_ms = self.now_ms.saturating_add(FRAME_MS);
        if !self.speaking && self.audio.len() > PREROLL_BYTES {
            self.audio.drain(..FRAME_SAMPLES);
        }
        if self.audio.len() < MAX_HEARD_BYTES {
            self.audio.extend_from_slice(frame);
        }
        match event {
            Some(SpeechEvent::Started { .. }) => self.speaking = true,
            Some(SpeechEvent::Ended { .. }) => {
                self.speaking = false;
                return Some(std::mem::take(&mut self.audio));
            }
            None => {}
        }
        None
    }
}

impl Teller<'_> {
    fn tell(&mut self, event: &str, more: Params) {
        let Some(target) = self.plan.callback.clone() else { return };
        self.sequence = self.sequence.saturating_add(1);
        let mut params: Params = vec![
            ("AccountSid", self.leg.net.account().account_sid.to_string()),
            ("CallSid", self.leg.sid.to_string()),
            ("TranscriptionSid", self.sid.to_string()),
            ("TranscriptionEvent", event.to_owned()),
            ("SequenceId", self.sequence.to_string()),
            ("Timestamp", iso_millis(self.leg.net.clock().now())),
            ("LanguageCode", self.plan.language.clone()),
        ];
        params.extend(more);
        self.leg.callbacks.tell(target, params);
    }
}

pub(crate) const LANGUAGE: &str = "en-US";
pub(crate) const ENGINE: &str = "google";
const NO_HINTS: &str = "This emulator transcribes phrases that it is told of in Hints only";
/// Silence that ends a sentence.
const SILENCE_MS: u64 = 700;
const PREROLL_BYTES: usize = 2400;
/// What is kept of one utterance: a minute.
const MAX_HEARD_BYTES: usize = 480_000;
