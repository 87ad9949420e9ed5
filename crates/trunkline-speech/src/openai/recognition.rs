//! The ear: our own detector finds utterances, each goes out as a file, and its words come back.
//!
//! There are no partial words. Utterances are understood one after the other, while the call is listened to.

use async_trait::async_trait;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_audio::{SAMPLE_RATE, g711};
use trunkline_core::Pii;

use super::{NAME, OpenAiConfig, language};
use crate::live::{self, AudioSource};
use crate::provider::http;
use crate::recognition::{
    MAX_TRANSCRIPTS, Recognition, RecognitionRequest, Recognizer, Transcript, UTTERANCE_PATIENCE,
};
use crate::utterances::{MAX_UTTERANCE_BYTES, Utterances};
use crate::{SpeechError, Vocabulary};

/// Utterances that may wait to be understood. With more, the call's audio waits, and the oldest of that is dropped.
const MAX_WAITING: usize = 4;
/// The longest answer, in bytes. 20 s of speech are some hundred words.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The longest hint of what is likely to be said, in bytes. The models read the last 224 tokens.
const MAX_PROMPT_BYTES: usize = 600;
/// The server as a [`Recognizer`].
#[derive(Debug, Clone)]
pub struct OpenAiRecognizer {
    config: OpenAiConfig,
    client: Client,
    model: String,
}

impl OpenAiRecognizer {
    /// Listens with `model`. Clones share their connections.
    ///
    /// # Errors
    /// `speech.config` if this machine offers no TLS.
    pub fn new(config: OpenAiConfig, model: impl Into<String>) -> Result<Self, SpeechError> {
        let client = http::client(&config.endpoint, config.timeouts)?;
        Ok(Self { config, client, model: model.into() })
    }

    /// What was said in an utterance.
    async fn transcribe(&self, audio: &[u8], request: &RecognitionRequest) -> Result<String, SpeechError> {
        let file = Part::bytes(wav(audio)).file_name("utterance.wav").mime_str("audio/wav");
        let file = file.map_err(|_| SpeechError::Config("a WAV file cannot be sent".to_owned()))?;
        let mut form = Form::new().text("model", self.model.clone()).text("response_format", "json").part("file", file);
        if let Some(language) = language(&request.language) {
            form = form.text("language", language);
        }
        let prompt = prompt(&request.vocabulary);
        if !prompt.is_empty() {
            form = form.text("prompt", prompt);
        }
        let url = self.config.endpoint.http(&["audio", "transcriptions"]);
        let post = http::identified(self.client.post(url).multipart(form), &self.config.endpoint);
        let timeouts = self.config.timeouts;
        let answer = async {
            let answer = http::send(NAME, timeouts, post).await?;
            http::body(NAME, timeouts, answer, MAX_ANSWER_BYTES).await
        };
        let answer = http::in_time(NAME, timeouts, answer).await?;
        let answer: Answer = serde_json::from_slice(&answer)
            .map_err(|_| SpeechError::Malformed { engine: NAME, what: "the answer to a transcription" })?;
        Ok(answer.text.trim().to_owned())
    }
}

#[derive(Deserialize)]
struct Answer {
    text: String,
}

/// Words that the model should know how to write.
fn prompt(vocabulary: &Vocabulary) -> String {
    let mut prompt = String::new();
    for word in vocabulary.words() {
        if prompt.len() + word.len() + 2 > MAX_PROMPT_BYTES {
            break;
        }
        if !prompt.is_empty() {
            prompt.push_str(", ");
        }
        prompt.push_str(word);
    }
    prompt
}

/// A WAV file of linear samples, which every server reads. (RIFF WAVE of 1991, 16 bits, one channel.)
fn wav(audio: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 44;
    let data = u32::try_from(audio.len() * 2).unwrap_or(u32::MAX - HEADER);
    let mut file = Vec::with_capacity(audio.len() * 2 + HEADER as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(data + HEADER - 8).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    file.extend_from_slice(&(SAMPLE_RATE * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&data.to_le_bytes());
    file.extend(audio.iter().flat_map(|code| g711::decode(*code).to_le_bytes()));
    file
}

#[async_trait]
impl Recognizer for OpenAiRecognizer {
    fn name(&self) -> &'static str {
        NAME
    }

    /// It begins to hear when an utterance is over.
    fn patience(&self) -> std::time::Duration {
        UTTERANCE_PATIENCE
    }

    async fn open(&self, request: RecognitionRequest) -> Result<Recognition, SpeechError> {
        let (sink, source) = live::channel();
        let (transcripts, receiver) = mpsc::channel(MAX_TRANSCRIPTS);
        let (found, waiting) = mpsc::channel(MAX_WAITING);
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let engine = self.clone();
        let task = async move {
            let understood = async {
                if let Err(error) = understand(&engine, &request, waiting, &transcripts).await {
                    // Nobody listens any more when the call has ended.
                    drop(transcripts.send(Err(error)).await);
                }
            };
            tokio::select! {
                // Looking for utterances only ends with the call, or when they are not taken any more.
                ((), ()) = async { tokio::join!(find(source, found), understood) } => {}
                () = ended.cancelled() => {}
            }
        };
        crate::tasks::spawn(task.in_current_span());
        Ok(Recognition::new(sink, receiver, stop.drop_guard()))
    }
}

/// Cuts the call into utterances.
async fn find(mut source: AudioSource, found: mpsc::Sender<Vec<u8>>) {
    let mut utterances = Utterances::new();
    let mut speech = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = source.next() => frame,
            () = found.closed() => return,
        };
        let Some(frame) = frame else { return };
        if utterances.hear(&frame, &mut speech) {
            let utterance = std::mem::take(&mut speech);
            if found.send(utterance).await.is_err() {
                return;
            }
        }
        debug_assert!(speech.len() <= MAX_UTTERANCE_BYTES, "the detector cuts long utterances");
    }
}

async fn understand(
    engine: &OpenAiRecognizer,
    request: &RecognitionRequest,
    mut waiting: mpsc::Receiver<Vec<u8>>,
    transcripts: &mpsc::Sender<Result<Transcript, SpeechError>>,
) -> Result<(), SpeechError> {
    while let Some(utterance) = waiting.recv().await {
        let words = engine.transcribe(&utterance, request).await?;
        if words.is_empty() {
            continue;
        }
        let heard = Transcript::Final { text: Pii::new(words), confidence: None };
        for transcript in [heard, Transcript::EndOfUtterance] {
            if transcripts.send(Ok(transcript)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_one_that_is_read_back() {
        let audio: Vec<u8> = (0..=255).collect();
        let samples = trunkline_audio::wav::read(&wav(&audio)).expect("a WAV file");
        assert_eq!(samples, audio.iter().map(|code| g711::decode(*code)).collect::<Vec<_>>());
    }

    #[test]
    fn the_hint_is_bounded() {
        let mut vocabulary = Vocabulary::new();
        vocabulary.list("name", (0..2_000).map(|index| format!("Name{index}")));
        let prompt = prompt(&vocabulary);
        assert!(prompt.starts_with("Name0, Name1") && prompt.len() <= MAX_PROMPT_BYTES);
    }
}
