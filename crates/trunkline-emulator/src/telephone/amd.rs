//! Finding out who answered: a person or a machine.
//!
//! Times are measured; that it is a machine is known from the phone's rule, so that tests can rely on it.

use tokio::time::{Instant, timeout};
use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};

use super::leg::Leg;
use super::place::MachineDetection;
use super::plane::Heard;

/// Detects, notes it on the call, and tells whoever wants to know. Ends early when the call does.
pub(super) async fn detect(leg: &Leg, how: &MachineDetection, machine: bool) {
    let begun = Instant::now();
    let found = timeout(how.timeout, leg.unless_stopped(listen(leg, how, machine))).await;
    let by = match found {
        Ok(Ok(by)) => by,
        Ok(Err(_)) => return,
        Err(_) => "unknown",
    };
    let sid = leg.sid;
    leg.set_answered_by(by);
    // The call may have been deleted.
    drop(leg.net.owner().call(move |state| state.set_answered_by(sid, by)).await);
    if let Some(target) = &how.callback {
        let duration = begun.elapsed().as_millis().to_string();
        let params = vec![
            ("CallSid", leg.sid.to_string()),
            ("AccountSid", leg.net.account().account_sid.to_string()),
            ("AnsweredBy", by.to_owned()),
            ("MachineDetectionDuration", duration),
        ];
        leg.callbacks.tell(target.clone(), params);
    }
}

async fn listen(leg: &Leg, how: &MachineDetection, machine: bool) -> &'static str {
    let mut frames = leg.plane().listen(true, false);
    let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let settings = SpeechSettings { hangover_ms: ms(how.speech_end), ..SpeechSettings::default() };
    let mut detector = SpeechDetector::new(settings);
    let (mut now_ms, mut begun_ms) = (0_u64, None);
    while let Some(heard) = frames.recv().await {
        let Heard::Inbound(frame, _) = heard else { continue };
        let mut samples = [0_i16; FRAME_SAMPLES];
        g711::decode_into(&frame, &mut samples);
        let event = detector.push(now_ms, &samples);
        now_ms = now_ms.saturating_add(FRAME_MS);
        if let Some(SpeechEvent::Started { at_ms }) = event {
            begun_ms = Some(at_ms);
        }
        let ended = matches!(event, Some(SpeechEvent::Ended { .. }));
        if machine && how.message_end {
            if leg.plane().machine_done {
                return "machine_end_beep";
            }
            // A greeting may pause; silence as long as this is its end.
            if ended && !leg.plane().machine_beeps {
                return "machine_end_silence";
            }
            continue;
        }
        match begun_ms {
            Some(_) if machine => return "machine_start",
            Some(_) if ended => return "human",
            Some(begun) if now_ms.saturating_sub(begun) >= ms(how.speech_threshold) => {
                return if how.message_end { "human" } else { "machine_start" };
            }
            None if now_ms >= ms(how.silence) => return "unknown",
            _ => {}
        }
    }
    "unknown"
}
