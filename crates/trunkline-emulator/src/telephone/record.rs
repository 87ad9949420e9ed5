//! `<Record>`: what the far side says, until it falls silent or presses a key.

use std::time::Duration;

use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};
use trunkline_proto::twiml::Record;

use super::answering::beep;
use super::callbacks::StatusCallback;
use super::interpreter::{Flow, Interpreter};
use super::leg::{Leg, Stopped};
use super::place::RecordPlan;
use super::plane::Heard;
use super::recorder::Sides;
use super::recordings::seconds;
use crate::state::events::Params;

impl Interpreter<'_> {
    pub(super) async fn record(&mut self, record: &Record) -> Result<Flow, Stopped> {
        if record.play_beep != Some(false) {
            self.leg.play(beep(), 1).await?;
        }
        let callback =
            self.target(record.recording_status_callback.as_deref(), record.recording_status_callback_method);
        let events = record.recording_status_callback_event.as_deref().unwrap_or("completed");
        let plan = RecordPlan {
            sides: Sides::Inbound,
            source: "RecordVerb",
            callback: StatusCallback {
                target: callback,
                events: events.split_whitespace().map(str::to_owned).collect(),
            },
        };
        let mut frames = self.leg.plane().listen(true, false);
        let Some(sid) = self.leg.start_recording(plan).await else { return Ok(Flow::Next) };
        let outcome = self.leg.unless_stopped(listen(self.leg, record, &mut frames)).await;
        let finished = self.leg.stop_recording(sid).await;
        let key = match outcome {
            Ok(Some(key)) => key,
            // Nobody spoke: the document goes on.
            Ok(None) => return Ok(Flow::Next),
            Err(stopped) => return Err(stopped),
        };
        let Some(finished) = finished else { return Ok(Flow::Next) };
        let extra: Params = vec![
            ("RecordingUrl", self.leg.net.recording_url(sid)),
            ("RecordingSid", sid.to_string()),
            ("RecordingDuration", seconds(&finished)),
            ("Digits", key),
        ];
        Ok(self.action(record.action.as_deref(), record.method, extra))
    }
}

/// The key that ended it, or none; nothing if nobody spoke.
async fn listen(leg: &Leg, record: &Record, frames: &mut tokio::sync::mpsc::Receiver<Heard>) -> Option<String> {
    let keys = record.finish_on_key.clone().unwrap_or_else(|| "1234567890*#".to_owned());
    let silence_ms = u64::from(record.timeout.unwrap_or(TIMEOUT_S)).saturating_mul(1000);
    let longest = Duration::from_secs(u64::from(record.max_length.unwrap_or(MAX_LENGTH_S)));
    let mut detector = SpeechDetector::new(SpeechSettings::default());
    let (mut now_ms, mut last_ms, mut spoke) = (0_u64, 0_u64, false);
    let deadline = tokio::time::sleep(longest);
    tokio::pin!(deadline);
    loop {
        let heard = tokio::select! {
            heard = frames.recv() => heard?,
            () = &mut deadline => return spoke.then(String::new),
        };
        match heard {
            Heard::Digit(key) if keys.contains(key) => return Some(key.to_string()),
            Heard::Inbound(frame, _) => {
                let mut samples = [0_i16; FRAME_SAMPLES];
                g711::decode_into(&frame, &mut samples);
                if let Some(SpeechEvent::Started { .. }) = detector.push(now_ms, &samples) {
                    spoke = true;
                }
                now_ms = now_ms.saturating_add(FRAME_MS);
                if detector.is_speaking() {
                    last_ms = now_ms;
                }
                if now_ms.saturating_sub(last_ms) >= silence_ms {
                    return spoke.then(String::new);
                }
                if leg.plane().hung_up.is_some() {
                    return None;
                }
            }
            _ => {}
        }
    }
}

const TIMEOUT_S: u32 = 5;
const MAX_LENGTH_S: u32 = 3600;
