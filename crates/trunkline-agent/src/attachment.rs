//! Files that came with what a person said.

use std::io;
use std::path::PathBuf;

use trunkline_core::Pii;

/// What a file is, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
}

impl MediaKind {
    /// The lower-case word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }

    /// The kind that this word names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Image, Self::Video, Self::Audio].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A file that a person sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Which text of the turn's input it came with.
    pub input: usize,
    /// What it is.
    pub kind: MediaKind,
    /// Its media type, by its content.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub hash: String,
    /// The name that the sender gave it.
    pub filename: Option<Pii<String>>,
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Where a program elsewhere gets it, with the token of the gateway's API.
    pub url: String,
}

impl Attachment {
    /// Its content.
    ///
    /// # Errors
    /// When it cannot be read.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || std::fs::read(path)).await.map_err(io::Error::other)?
    }
}
