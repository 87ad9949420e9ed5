//! Requests to providers, and audio that comes as the body of an answer.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{Endpoint, Timeouts};
use crate::SpeechError;
use crate::synthesis::{MAX_PIECES, Speech};

/// The longest speech that is taken, in bytes of μ-law: 10 minutes, more than the longest text takes.
const MAX_SPEECH_BYTES: usize = 10 * 60 * trunkline_audio::SAMPLE_RATE as usize;
/// How long a connection is kept for the next sentence.
const KEPT_ALIVE: Duration = Duration::from_mins(1);

/// The one client of a provider: its connections are kept, and no redirect takes a key elsewhere.
pub(crate) fn client(endpoint: &Endpoint, timeouts: Timeouts) -> Result<Client, SpeechError> {
    let builder = if endpoint.is_loopback() { Client::builder().no_proxy() } else { Client::builder() };
    builder
        .connect_timeout(timeouts.connect)
        .pool_idle_timeout(KEPT_ALIVE)
        .redirect(Policy::none())
        .build()
        .map_err(|_| SpeechError::Config("there is no secure connection on this machine".to_owned()))
}

/// Adds the key, if there is one.
pub(crate) fn identified(request: RequestBuilder, endpoint: &Endpoint) -> RequestBuilder {
    match endpoint.credential() {
        Some((name, value)) => request.header(name.clone(), value.clone()),
        None => request,
    }
}

/// What an HTTP status other than success means.
pub(crate) const fn by_status(engine: &'static str, status: u16) -> SpeechError {
    match status {
        408 | 429 | 500.. => SpeechError::Unavailable { engine, status },
        _ => SpeechError::Refused { engine, status },
    }
}

/// Ends `work` when the first byte of an answer, or all of a short one, has not come in time.
pub(crate) async fn in_time<T>(
    engine: &'static str,
    timeouts: Timeouts,
    work: impl Future<Output = Result<T, SpeechError>>,
) -> Result<T, SpeechError> {
    let late = |_| SpeechError::Timeout { engine, after: timeouts.first_byte };
    tokio::time::timeout(timeouts.first_byte, work).await.map_err(late)?
}

/// Sends a request and waits for the head of a good answer, for as long as [`in_time`] allows.
pub(crate) async fn send(
    engine: &'static str,
    timeouts: Timeouts,
    request: RequestBuilder,
) -> Result<Response, SpeechError> {
    let answer = request.send().await.map_err(|error| {
        if error.is_timeout() {
            SpeechError::Timeout { engine, after: timeouts.connect }
        } else {
            SpeechError::Unreachable { engine }
        }
    })?;
    let status = answer.status();
    if status.is_success() { Ok(answer) } else { Err(by_status(engine, status.as_u16())) }
}

/// Reads a whole answer of at most `limit` bytes.
pub(crate) async fn body(
    engine: &'static str,
    timeouts: Timeouts,
    mut answer: Response,
    limit: usize,
) -> Result<Vec<u8>, SpeechError> {
    let mut body = Vec::new();
    while let Some(piece) = next_piece(engine, timeouts.idle, &mut answer).await? {
        if body.len() + piece.len() > limit {
            return Err(SpeechError::TooLong { what: "the provider's answer", limit: format!("{limit} bytes") });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Speech out of an answer's body, as it comes. `convert` makes μ-law of each piece, and of the end (`None`) what is
/// left. Dropping the speech ends the request.
pub(crate) async fn speech(
    engine: &'static str,
    timeouts: Timeouts,
    mut answer: Response,
    convert: impl FnMut(Option<Bytes>) -> Bytes + Send + 'static,
) -> Result<Speech, SpeechError> {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") || kind.starts_with("text/") {
        return Err(SpeechError::Malformed { engine, what: "text in place of audio" });
    }
    // The first byte is waited for here, so that whoever asked can still turn to another voice.
    let first = answer.chunk().await.map_err(|_| broken(engine))?;
    if first.is_none() {
        return Err(SpeechError::Malformed { engine, what: "an answer without sound" });
    }
    let (sender, pieces) = mpsc::channel(MAX_PIECES);
    let stop = CancellationToken::new();
    let ended = stop.clone();
    let task = async move {
        let pump = pump(engine, timeouts.idle, answer, first, convert, &sender);
        tokio::select! {
            outcome = pump => if let Err(error) = outcome {
                // Nobody listens any more when the call has ended.
                drop(sender.send(Err(error)).await);
            },
            () = ended.cancelled() => {}
        }
    };
    crate::tasks::spawn(task.in_current_span());
    Ok(Speech::new(pieces, stop.drop_guard()))
}

async fn pump(
    engine: &'static str,
    idle: Duration,
    mut answer: Response,
    first: Option<Bytes>,
    mut convert: impl FnMut(Option<Bytes>) -> Bytes,
    pieces: &mpsc::Sender<Result<Bytes, SpeechError>>,
) -> Result<(), SpeechError> {
    let mut next = first;
    let mut made = 0;
    loop {
        let is_last = next.is_none();
        let audio = convert(next);
        made += audio.len();
        if made > MAX_SPEECH_BYTES {
            return Err(SpeechError::TooLong { what: "the provider's speech", limit: "10 minutes".to_owned() });
        }
        if !audio.is_empty() && pieces.send(Ok(audio)).await.is_err() || is_last {
            return Ok(());
        }
        next = next_piece(engine, idle, &mut answer).await?;
    }
}

async fn next_piece(
    engine: &'static str,
    patience: Duration,
    answer: &mut Response,
) -> Result<Option<Bytes>, SpeechError> {
    match tokio::time::timeout(patience, answer.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(_)) => Err(broken(engine)),
        Err(_) => Err(SpeechError::Timeout { engine, after: patience }),
    }
}

fn broken(engine: &'static str) -> SpeechError {
    SpeechError::Ended { engine, reason: "the connection broke within the answer".to_owned() }
}
