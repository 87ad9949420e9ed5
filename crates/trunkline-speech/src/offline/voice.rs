//! flite or espeak-ng as a voice.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::Semaphore;
use trunkline_audio::{g711, wav};

use super::programs::{find, missing, search_path};
use crate::SpeechError;
use crate::synthesis::{Speech, SynthesisRequest, Synthesizer};

/// Voices that run at once; more wait their turn.
const MAX_PROCESSES: usize = 4;
/// A sentence takes tens of milliseconds; a process that takes this long hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Flite,
    Espeak,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Flite => "flite",
            Self::Espeak => "espeak-ng",
        }
    }
}

/// A voice of this machine. Cloning shares its limit.
#[derive(Debug, Clone)]
pub struct Voice {
    program: Program,
    path: PathBuf,
    folder: Arc<tempfile::TempDir>,
    places: Arc<Semaphore>,
}

impl Voice {
    /// Finds flite (its voice `slt`), or else espeak-ng, on the search path.
    ///
    /// # Errors
    /// `speech.program` if neither is installed, or there is no folder for temporary files.
    pub fn find() -> Result<Self, SpeechError> {
        let search = search_path();
        let found = [Program::Flite, Program::Espeak]
            .into_iter()
            .find_map(|program| Some((program, find(program.name(), search.as_deref())?)));
        let (program, path) = found.ok_or_else(|| missing("flite", "flite", &"it is not on the search path"))?;
        let folder = tempfile::Builder::new().prefix("trunkline-voice-").tempdir();
        let folder = folder.map_err(|error| missing(program.name(), program.name(), &error))?;
        Ok(Self { program, path, folder: Arc::new(folder), places: Arc::new(Semaphore::new(MAX_PROCESSES)) })
    }

    /// The program that speaks.
    pub const fn name(&self) -> &'static str {
        self.program.name()
    }

    /// Speaks `text`: 8 kHz, one channel, linear.
    ///
    /// # Errors
    /// `speech.program`, `speech.ended`, `speech.timeout`, `speech.too_long`.
    ///
    /// # Cancel safety
    /// Cancel-safe: the process is killed.
    pub async fn speak(&self, text: &str) -> Result<Vec<i16>, SpeechError> {
        let request = SynthesisRequest::new(text);
        request.check()?;
        let name = self.program.name();
        if !request.has_words() {
            return Ok(Vec::new());
        }
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let output = tempfile::Builder::new().suffix(".wav").tempfile_in(self.folder.path());
        let output = output.map_err(|error| missing(name, name, &error))?.into_temp_path();
        let mut command = Command::new(&self.path);
        match self.program {
            Program::Flite => command.args(["-voice", "slt", "-f", "/dev/stdin", "-o"]).arg(&output),
            Program::Espeak => command.args(["-v", "en-us", "-s", "140", "--stdin", "-w"]).arg(&output),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let spoken = async {
            let mut child = command.spawn().map_err(|error| missing(name, name, &error))?;
            if let Some(mut stdin) = child.stdin.take() {
                // One line: a line's end would be a sentence's.
                let line = text.replace(['\n', '\r', '\0'], " ");
                // A process that ends early says so by its status.
                drop(stdin.write_all(format!("{line}\n").as_bytes()).await);
            }
            child.wait().await.map_err(|error| missing(name, name, &error))
        };
        let status = tokio::time::timeout(TIMEOUT, spoken)
            .await
            .map_err(|_| SpeechError::Timeout { engine: name, after: TIMEOUT })??;
        if !status.success() {
            return Err(SpeechError::Ended { engine: name, reason: status.to_string() });
        }
        let written = tokio::fs::read(&output).await.map_err(|error| missing(name, name, &error))?;
        wav::read(&written).map_err(|_| SpeechError::Malformed { engine: name, what: "its WAV file" })
    }
}

/// A [`Voice`] as a [`Synthesizer`].
#[derive(Debug, Clone)]
pub struct OfflineSynthesizer(Voice);

impl OfflineSynthesizer {
    /// Speaks with `voice`.
    pub const fn new(voice: Voice) -> Self {
        Self(voice)
    }
}

#[async_trait]
impl Synthesizer for OfflineSynthesizer {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn speak(&self, request: SynthesisRequest) -> Result<Speech, SpeechError> {
        request.check()?;
        let linear = self.0.speak(request.text.expose()).await?;
        Ok(Speech::ready(linear.iter().map(|sample| g711::encode(*sample)).collect::<Bytes>()))
    }
}
