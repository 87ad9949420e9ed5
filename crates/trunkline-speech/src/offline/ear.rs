//! pocketsphinx as an ear.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_audio::band::BandFill;
use trunkline_audio::{FRAME_SAMPLES, g711};
use trunkline_core::Pii;

use super::dictionary::Dictionary;
use super::programs::{find, folder, missing, search_path};
use crate::live::{self, AudioSource};
use crate::recognition::{
    MAX_TRANSCRIPTS, Recognition, RecognitionRequest, Recognizer, Transcript, UTTERANCE_PATIENCE,
};
use crate::utterances::Utterances;
use crate::{SpeechError, Vocabulary};

const PROGRAM: &str = "pocketsphinx_continuous";
const NAME: &str = "pocketsphinx";
const DICTIONARY: &str = "cmudict-en-us.dict";
const PACKAGES: &str = "pocketsphinx and pocketsphinx-en-us";
const MODELS: &[&str] = &["/usr/share/pocketsphinx/model/en-us", "/usr/local/share/pocketsphinx/model/en-us"];
/// Silence around what is recognised at once: the engine wants to hear its beginning and end.
const PADDING: Duration = Duration::from_millis(300);
/// Longest time that recognising one piece of audio takes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest line that the engine may write, in bytes.
const MAX_LINE_BYTES: usize = 4 << 10;

/// pocketsphinx with its US-English model.
#[derive(Debug, Clone)]
pub struct Ear {
    path: PathBuf,
    model: PathBuf,
    dictionary: Arc<Dictionary>,
}

impl Ear {
    /// Finds the program on the search path, and its model.
    ///
    /// # Errors
    /// `speech.program` if either is not installed.
    pub fn find() -> Result<Self, SpeechError> {
        let path = find(PROGRAM, search_path().as_deref())
            .ok_or_else(|| missing(PROGRAM, PACKAGES, &"it is not on the search path"))?;
        let model = folder(MODELS).ok_or_else(|| missing(PROGRAM, PACKAGES, &"its US-English model is not there"))?;
        let dictionary =
            Dictionary::read(&model.join(DICTIONARY)).map_err(|error| missing(PROGRAM, PACKAGES, &error))?;
        Ok(Self { path, model, dictionary: Arc::new(dictionary) })
    }

    /// What was said in `audio` (8 kHz, one channel), with `vocabulary` as grammar. Empty if nothing of it was heard.
    ///
    /// # Errors
    /// `speech.program`, `speech.ended`, `speech.timeout`.
    ///
    /// # Cancel safety
    /// Cancel-safe: the process is killed.
    pub async fn recognise(&self, audio: &[i16], vocabulary: &Vocabulary) -> Result<String, SpeechError> {
        let mut engine = Engine::start(self, vocabulary)?;
        let padding = vec![0_i16; samples(PADDING)];
        for part in [padding.as_slice(), audio, padding.as_slice()] {
            for chunk in part.chunks(FRAME_SAMPLES) {
                let ended = |error: std::io::Error| SpeechError::Ended { engine: NAME, reason: error.to_string() };
                engine.input.write(chunk).await.map_err(ended)?;
            }
        }
        let heard = engine.finish().await?;
        Ok(vocabulary.spell(&heard))
    }

    fn start(&self, vocabulary: &Vocabulary) -> Result<(Child, ChildStdin, tempfile::TempPath), SpeechError> {
        let failed = |error: std::io::Error| missing(PROGRAM, PACKAGES, &error);
        let grammar = tempfile::Builder::new().prefix("trunkline-ear-").suffix(".jsgf").tempfile().map_err(failed)?;
        // The engine refuses a grammar with a word that it cannot pronounce.
        let known = vocabulary.only(|word| self.dictionary.has(word));
        std::fs::write(grammar.path(), known.to_jsgf()).map_err(failed)?;
        let grammar = grammar.into_temp_path();
        let mut child = Command::new(&self.path)
            // Where speech begins and ends is for our own detector: the engine's takes the hiss of a line for speech.
            .args(["-infile", "/dev/stdin", "-remove_silence", "no", "-logfn", "/dev/null"])
            .arg("-hmm")
            .arg(self.model.join("en-us"))
            .arg("-dict")
            .arg(self.model.join(DICTIONARY))
            .arg("-jsgf")
            .arg(&grammar)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take().ok_or_else(|| missing(PROGRAM, PACKAGES, &"it has no standard input"))?;
        Ok((child, stdin, grammar))
    }
}

const fn samples(time: Duration) -> usize {
    time.as_millis() as usize * trunkline_audio::SAMPLE_RATE as usize / 1_000
}

/// Telephone audio as the engine's model wants it: 16 kHz, its upper band not empty.
struct Filled {
    stdin: ChildStdin,
    fill: BandFill,
    wide: Vec<i16>,
    bytes: Vec<u8>,
}

impl Filled {
    fn new(stdin: ChildStdin) -> Self {
        Self { stdin, fill: BandFill::new(), wide: Vec::new(), bytes: Vec::new() }
    }

    async fn write(&mut self, narrow: &[i16]) -> std::io::Result<()> {
        self.wide.clear();
        self.bytes.clear();
        self.fill.process(narrow, &mut self.wide);
        self.bytes.extend(self.wide.iter().flat_map(|sample| sample.to_le_bytes()));
        self.stdin.write_all(&self.bytes).await
    }
}

/// The lines of a process, with a limit to their length.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new() }
    }

    /// The next line without its end. What is over the limit of a line is left out. Cancel-safe.
    async fn next(&mut self) -> Option<String> {
        loop {
            let there = self.reader.fill_buf().await.ok()?;
            if there.is_empty() {
                return None;
            }
            let end = there.iter().position(|byte| *byte == b'\n');
            let (part, used) = there.split_at_checked(end.unwrap_or(there.len()))?;
            let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend(part.iter().take(room));
            let used = part.len() + usize::from(end.is_some() && !used.is_empty());
            self.reader.consume(used);
            if end.is_some() {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
                return Some(line);
            }
        }
    }
}

/// An [`Ear`] as a [`Recognizer`]: a process for each utterance, started while the one before it is understood.
#[derive(Debug, Clone)]
pub struct OfflineRecognizer(Ear);

impl OfflineRecognizer {
    /// Listens with `ear`.
    pub const fn new(ear: Ear) -> Self {
        Self(ear)
    }
}

#[async_trait]
impl Recognizer for OfflineRecognizer {
    fn name(&self) -> &'static str {
        NAME
    }

    /// It begins to hear when an utterance is over.
    fn patience(&self) -> Duration {
        UTTERANCE_PATIENCE
    }

    async fn open(&self, request: RecognitionRequest) -> Result<Recognition, SpeechError> {
        let engine = Engine::start(&self.0, &request.vocabulary)?;
        let (sink, source) = live::channel();
        let (transcripts, receiver) = mpsc::channel(MAX_TRANSCRIPTS);
        let stop = CancellationToken::new();
        let ear = self.0.clone();
        let ended = stop.clone();
        let task = async move {
            tokio::select! {
                () = listen(&ear, engine, source, &request.vocabulary, &transcripts) => {}
                () = ended.cancelled() => {}
            }
        };
        crate::tasks::spawn(task.in_current_span());
        Ok(Recognition::new(sink, receiver, stop.drop_guard()))
    }
}

/// The engine with its model loaded, for one utterance.
struct Engine {
    child: Child,
    input: Filled,
    _grammar: tempfile::TempPath,
}

impl Engine {
    fn start(ear: &Ear, vocabulary: &Vocabulary) -> Result<Self, SpeechError> {
        let (child, stdin, grammar) = ear.start(vocabulary)?;
        Ok(Self { child, input: Filled::new(stdin), _grammar: grammar })
    }

    /// Hears μ-law.
    async fn write(&mut self, audio: &[u8]) -> Result<(), SpeechError> {
        let mut linear = [0_i16; FRAME_SAMPLES];
        for chunk in audio.chunks(FRAME_SAMPLES) {
            let Some(linear) = linear.get_mut(..chunk.len()) else { continue };
            g711::decode_into(chunk, linear);
            let ended = |error: std::io::Error| SpeechError::Ended { engine: NAME, reason: error.to_string() };
            self.input.write(linear).await.map_err(ended)?;
        }
        Ok(())
    }

    /// What was said; empty if nothing of the grammar was.
    async fn finish(self) -> Result<String, SpeechError> {
        let Self { mut child, input, _grammar } = self;
        drop(input);
        let mut heard = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let mut lines = Lines::new(stdout);
            let read = async {
                while let Some(line) = lines.next().await {
                    heard.extend((!line.is_empty()).then_some(line));
                }
            };
            let late = |_| SpeechError::Timeout { engine: NAME, after: TIMEOUT };
            tokio::time::timeout(TIMEOUT, read).await.map_err(late)?;
        }
        let status = child.wait().await.map_err(|error| missing(PROGRAM, PACKAGES, &error))?;
        if !status.success() {
            return Err(SpeechError::Ended { engine: NAME, reason: status.to_string() });
        }
        Ok(heard.join(" "))
    }
}

async fn listen(
    ear: &Ear,
    mut engine: Engine,
    mut source: AudioSource,
    vocabulary: &Vocabulary,
    transcripts: &mpsc::Sender<Result<Transcript, SpeechError>>,
) {
    let mut utterances = Utterances::new();
    let mut speech = Vec::new();
    while let Some(frame) = source.next().await {
        speech.clear();
        let has_ended = utterances.hear(&frame, &mut speech);
        let heard = match engine.write(&speech).await {
            Ok(()) if !has_ended => continue,
            // The next engine loads its model while this one understands.
            Ok(()) => match Engine::start(ear, vocabulary) {
                Ok(next) => std::mem::replace(&mut engine, next).finish().await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let words = match heard {
            Ok(heard) if heard.is_empty() => continue,
            Ok(heard) => [
                Ok(Transcript::Final { text: Pii::new(vocabulary.spell(&heard)), confidence: None }),
                Ok(Transcript::EndOfUtterance),
            ],
            Err(error) => {
                // Nobody listens any more when the call has ended.
                drop(transcripts.send(Err(error)).await);
                return;
            }
        };
        for transcript in words {
            if transcripts.send(transcript).await.is_err() {
                return;
            }
        }
    }
}
