//! One stream to Deepgram, from the first frame to the goodbye.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_util::sync::CancellationToken;

use super::NAME;
use super::message::{Message, Utterance};
use crate::SpeechError;
use crate::live::AudioSource;
use crate::provider::socket::Socket;
use crate::recognition::Transcript;

/// When no audio comes for so long, what was said is asked for: no silence will end it.
const AUDIO_GAP: Duration = Duration::from_millis(800);
/// How often a stream without audio is kept open. Deepgram closes it after 10 s and advises 3 to 5 s.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

const FINALIZE: &str = r#"{"type":"Finalize"}"#;
const KEEP_ALIVE_MESSAGE: &str = r#"{"type":"KeepAlive"}"#;
const CLOSE_STREAM: &str = r#"{"type":"CloseStream"}"#;

type Transcripts = mpsc::Sender<Result<Transcript, SpeechError>>;

pub(super) async fn run(mut socket: Socket, source: AudioSource, transcripts: Transcripts, stop: CancellationToken) {
    let outcome = tokio::select! {
        outcome = stream(&mut socket, source, &transcripts) => outcome,
        () = stop.cancelled() => Ok(()),
    };
    if let Err(error) = outcome {
        // Nobody listens any more when the call has ended.
        tokio::select! {
            _ = transcripts.send(Err(error)) => {}
            () = stop.cancelled() => {}
        }
    }
    drop(transcripts);
    socket.close(Some(Frame::text(CLOSE_STREAM))).await;
}

async fn stream(socket: &mut Socket, mut source: AudioSource, transcripts: &Transcripts) -> Result<(), SpeechError> {
    let mut utterance = Utterance::default();
    let mut quiet = Quiet::kept_open();
    loop {
        tokio::select! {
            frame = source.next() => {
                let Some(frame) = frame else { return Ok(()) };
                let mut audio = frame.to_vec();
                source.take(&mut audio);
                socket.send(Frame::binary(audio)).await?;
                quiet = Quiet::after_audio();
            }
            () = tokio::time::sleep_until(quiet.at) => {
                socket.send(Frame::text(quiet.message)).await?;
                quiet = Quiet::kept_open();
            }
            text = socket.receive() => {
                let message = serde_json::from_str(&text?).map_err(|_| socket.malformed("a message of its stream"))?;
                if matches!(message, Message::Error) {
                    return Err(SpeechError::Ended { engine: NAME, reason: "it reports an error".to_owned() });
                }
                for transcript in utterance.take(message).into_iter().flatten() {
                    if transcripts.send(Ok(transcript)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What to say when no audio comes, and when.
struct Quiet {
    at: Instant,
    message: &'static str,
}

impl Quiet {
    fn after_audio() -> Self {
        Self { at: Instant::now() + AUDIO_GAP, message: FINALIZE }
    }

    fn kept_open() -> Self {
        Self { at: Instant::now() + KEEP_ALIVE, message: KEEP_ALIVE_MESSAGE }
    }
}
