//! PDFs, read by a process of their own: whatever a file does to its reader, the gateway goes on.
//!
//! The program gets the file on standard input and writes the text to standard output, pages separated by form feeds. It
//! is bounded in time and in what it may write from here; our own ([`pdf_text`](super::pdf_text)) bounds its memory and
//! its processor time by itself.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::block::MAX_TEXT_BYTES;
use super::codes;
use super::pdf_text::{EXIT_ENCRYPTED, EXIT_TOO_HEAVY};

/// How long one file may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The text of a PDF.
///
/// # Errors
/// `knowledge.no_pdf`, `knowledge.encrypted`, `knowledge.too_heavy`, `knowledge.unreadable`.
///
/// # Cancel safety
/// Cancel-safe: the program is killed.
pub(super) async fn text(program: Option<&[String]>, content: Bytes) -> Result<String, &'static str> {
    let Some((program, arguments)) = program.and_then(<[String]>::split_first) else { return Err(codes::NO_PDF) };
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| {
        tracing::error!(%error, "the program that reads PDFs could not be started");
        codes::NO_PDF
    })?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return Err(codes::NO_PDF) };
    let work = async {
        let mut text = Vec::new();
        let mut bounded = stdout.take(MAX_TEXT_BYTES as u64 + 1);
        let write = async {
            // One that ends early has read enough.
            let _ended = stdin.write_all(&content).await.is_err();
            drop(stdin);
        };
        let (read, ()) = tokio::join!(bounded.read_to_end(&mut text), write);
        drop(bounded);
        if text.len() > MAX_TEXT_BYTES {
            return Err(codes::TOO_HEAVY);
        }
        read.map_err(|_| codes::UNREADABLE)?;
        let status = child.wait().await.map_err(|_| codes::UNREADABLE)?;
        match status.code() {
            Some(0) => String::from_utf8(text).map_err(|_| codes::UNREADABLE),
            Some(EXIT_ENCRYPTED) => Err(codes::ENCRYPTED),
            // Without a code it was ended by a signal: its limits.
            Some(EXIT_TOO_HEAVY) | None => Err(codes::TOO_HEAVY),
            Some(_) => Err(codes::UNREADABLE),
        }
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(codes::TOO_HEAVY))
}
