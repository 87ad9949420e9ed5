//! Clients of providers, against servers on sockets that speak the documented protocols.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that finds something else fails here"
)]

mod deepgram;
mod elevenlabs;
mod openai_speech;
mod openai_transcription;
mod realtime;
mod server;

use std::time::Duration;

use trunkline_audio::{FRAME_SAMPLES, g711};
use trunkline_speech::offline::Voice;
use trunkline_speech::synthesis::Speech;
use trunkline_speech::{SpeechError, Timeouts};

const DEADLINE: Duration = Duration::from_secs(20);
/// For tests in which a time-out is what is waited for.
const HASTY: Duration = Duration::from_millis(200);

fn hasty() -> Timeouts {
    Timeouts { connect: HASTY, first_byte: HASTY, idle: HASTY }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.expect("in time")
}

/// A sentence as it comes from a telephone, with silence around it, in whole frames.
async fn spoken(text: &str) -> Vec<u8> {
    let voice = Voice::find().expect("flite");
    let mut audio = vec![g711::SILENCE; 20 * FRAME_SAMPLES];
    audio.extend(voice.speak(text).await.expect("spoken").iter().map(|sample| g711::encode(*sample)));
    let whole = audio.len().next_multiple_of(FRAME_SAMPLES) + 50 * FRAME_SAMPLES;
    audio.resize(whole, g711::SILENCE);
    audio
}

async fn all_of(mut speech: Speech) -> Result<Vec<u8>, SpeechError> {
    let mut audio = Vec::new();
    while let Some(piece) = within(speech.next()).await {
        audio.extend_from_slice(&piece?);
    }
    Ok(audio)
}
