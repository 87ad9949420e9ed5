//! pocketsphinx as an ear.

use std::path::PathBuf;
use std::process::Stdio;
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

use super::programs::{find, folder, missing, search_path};
use crate::live::{self, AudioSource};
use crate::recognition::{MAX_TRANSCRIPTS, Recognition, RecognitionRequest, Recognizer, Transcript};
use crate::{SpeechError, Vocabulary};

const PROGRAM: &str = "pocketsphinx_continuous";
const NAME: &str = "pocketsphinx";
const PACKAGES: &str = "pocketsphinx and pocketsphinx-en-us";
const MODELS: &[&str] = &["/usr/share/pocketsphinx/model/en-us", "/usr/local/share/pocketsphinx/model/en-us"];
/// Silence, in the engine's frames of 10 ms, after which it takes an utterance as ended.
const POST_SPEECH_FRAMES: &str = "30";
/// Silence around what is recognised at once: the engine wants to hear its beginning and end.
const PADDING: Duration = Duration::from_millis(700);
/// Longest time that recognising one piece of audio takes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest line that the engine may write, in bytes.
const MAX_LINE_BYTES: usize = 4 << 10;

/// pocketsphinx with its US-English model.
#[derive(Debug, Clone)]
pub struct Ear {
    path: PathBuf,
    model: PathBuf,
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
        Ok(Self { path, model })
    }

    /// What was said in `audio` (8 kHz, one channel), with `vocabulary` as grammar. Empty if nothing of it was heard.
    ///
    /// # Errors
    /// `speech.program`, `speech.ended`, `speech.timeout`.
    ///
    /// # Cancel safety
    /// Cancel-safe: the process is killed.
    pub async fn recognise(&self, audio: &[i16], vocabulary: &Vocabulary) -> Result<String, SpeechError> {
        let (mut child, stdin, _grammar) = self.start(vocabulary)?;
        let stdout = child.stdout.take();
        let mut fill = Filled::new(stdin);
        let feed = async {
            let padding = vec![0_i16; samples(PADDING)];
            for part in [padding.as_slice(), audio, padding.as_slice()] {
                for chunk in part.chunks(FRAME_SAMPLES) {
                    if fill.write(chunk).await.is_err() {
                        return;
                    }
                }
            }
            drop(fill);
        };
        let read = async {
            let mut heard = Vec::new();
            let Some(stdout) = stdout else { return heard };
            let mut lines = Lines::new(stdout);
            while let Some(line) = lines.next().await {
                if !line.is_empty() {
                    heard.push(line);
                }
            }
            heard
        };
        let both = async { tokio::join!(feed, read).1 };
        let heard = tokio::time::timeout(TIMEOUT, both)
            .await
            .map_err(|_| SpeechError::Timeout { engine: NAME, after: TIMEOUT })?;
        let status = child.wait().await.map_err(|error| missing(PROGRAM, PACKAGES, &error))?;
        if !status.success() {
            return Err(SpeechError::Ended { engine: NAME, reason: status.to_string() });
        }
        Ok(vocabulary.spell(&heard.join(" ")))
    }

    fn start(&self, vocabulary: &Vocabulary) -> Result<(Child, ChildStdin, tempfile::TempPath), SpeechError> {
        let failed = |error: std::io::Error| missing(PROGRAM, PACKAGES, &error);
        let grammar = tempfile::Builder::new().prefix("trunkline-ear-").suffix(".jsgf").tempfile().map_err(failed)?;
        std::fs::write(grammar.path(), vocabulary.to_jsgf()).map_err(failed)?;
        let grammar = grammar.into_temp_path();
        let mut child = Command::new(&self.path)
            .args(["-infile", "/dev/stdin", "-vad_postspeech", POST_SPEECH_FRAMES, "-logfn", "/dev/null"])
            .arg("-hmm")
            .arg(self.model.join("en-us"))
            .arg("-dict")
            .arg(self.model.join("cmudict-en-us.dict"))
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

/// An [`Ear`] as a [`Recognizer`]: one process for each call, from its first frame to its last.
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

    async fn open(&self, request: RecognitionRequest) -> Result<Recognition, SpeechError> {
        let (child, stdin, grammar) = self.0.start(&request.vocabulary)?;
        let (sink, source) = live::channel();
        let (transcripts, receiver) = mpsc::channel(MAX_TRANSCRIPTS);
        let stop = CancellationToken::new();
        let work = listen(child, stdin, source, request.vocabulary, transcripts);
        let ended = stop.clone();
        let task = async move {
            tokio::select! {
                () = work => {}
                () = ended.cancelled() => {}
            }
            // The engine has read its grammar by now.
            drop(grammar);
        };
        crate::tasks::spawn(task.in_current_span());
        Ok(Recognition::new(sink, receiver, stop.drop_guard()))
    }
}

async fn listen(
    mut child: Child,
    stdin: ChildStdin,
    mut source: AudioSource,
    vocabulary: Vocabulary,
    transcripts: mpsc::Sender<Result<Transcript, SpeechError>>,
) {
    let Some(stdout) = child.stdout.take() else { return };
    let mut lines = Lines::new(stdout);
    let feed = async {
        let mut engine = Filled::new(stdin);
        let mut linear = [0_i16; FRAME_SAMPLES];
        while let Some(frame) = source.next().await {
            g711::decode_into(&frame, &mut linear);
            if engine.write(&linear).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while let Some(line) = lines.next().await {
            if line.is_empty() {
                continue;
            }
            let text = Pii::new(vocabulary.spell(&line));
            let heard = [Transcript::Final { text, confidence: None }, Transcript::EndOfUtterance];
            for transcript in heard {
                if transcripts.send(Ok(transcript)).await.is_err() {
                    return;
                }
            }
        }
    };
    // The engine ends when its input ends: then its output is complete.
    tokio::join!(feed, read);
    let reason = match child.wait().await {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    // Nobody listens any more when the call has ended.
    drop(transcripts.send(Err(SpeechError::Ended { engine: NAME, reason })).await);
}
