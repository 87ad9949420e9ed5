//! Drives one socket: bytes and time into its session, what the session wants done out of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use futures_util::{FutureExt as _, SinkExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use trunkline_proto::twilsock::server::{Answer, Input, Output, Refusal};
use trunkline_proto::twilsock::server_message::BackoffPolicy;
use trunkline_proto::twilsock::{Backoff, ServerSession};

use super::hub::{Frames, SOCKET_QUEUE, SocketHandle, SocketOrder};
use super::token;
use super::upstream::{Client, answer};
use crate::error::ApiError;
use crate::faults::{InitPlan, SocketPlan};
use crate::server::App;
use crate::state::sync::{Outgoing, SocketId};

/// Serves one socket until either end is done with it.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(app: App, stream: WebSocketStream<S>, base: String) {
    let (frames, queue) = mpsc::channel(SOCKET_QUEUE);
    let cut = app.stop.child_token();
    let mut socket = Socket {
        id: SocketId(app.next_socket.fetch_add(1, Ordering::Relaxed)),
        session: ServerSession::new(now_ms(&app)),
        stream,
        cut: cut.clone(),
        expire: Arc::new(Notify::new()),
        frames,
        sent: Arc::new(AtomicU64::new(0)),
        client: None,
        identity: None,
        is_silent: false,
        base,
        app,
    };
    // Cutting drops the stream in the middle of whatever it is at.
    cut.run_until_cancelled(socket.serve(queue)).await.unwrap_or_default();
    if socket.client.is_some() {
        let id = socket.id;
        let gone = move |state: &mut crate::state::State| {
            state.send(Outgoing::Sockets(SocketOrder::Disconnected(id)));
        };
        // With the owner goes the hub.
        socket.app.owner.call(gone).await.unwrap_or_default();
    }
}

struct Socket<S> {
    id: SocketId,
    app: App,
    session: ServerSession,
    stream: WebSocketStream<S>,
    cut: CancellationToken,
    expire: Arc<Notify>,
    frames: mpsc::Sender<Frames>,
    sent: Arc<AtomicU64>,
    /// Who it is, once that is known to the hub.
    client: Option<Client>,
    identity: Option<String>,
    /// By a fault: it reads and never says anything.
    is_silent: bool,
    /// `http://host`, as the client named it.
    base: String,
}

/// Requests under way, each with its id; without an answer the socket ends. They are begun in the order in which they were asked, so that a client's
/// messages keep theirs.
type Work = FuturesUnordered<BoxFuture<'static, (String, Option<Answer>)>>;

/// The socket is to end.
struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    async fn serve(&mut self, mut queue: mpsc::Receiver<Frames>) {
        let mut work = Work::new();
        let mut waiting: Vec<Frames> = Vec::new();
        let expire = Arc::clone(&self.expire);
        loop {
            if self.settle(&mut work).await.is_err() {
                return;
            }
            let deadline = self.deadline();
            tokio::select! {
                message = self.stream.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => self.handle(Input::Frame(&bytes)),
                    // Pings are answered underneath; text is not part of the protocol and is dropped, as clients do.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                },
                count = queue.recv_many(&mut waiting, WRITE_AT_ONCE) => {
                    // The socket itself holds a sender.
                    debug_assert!(count > 0);
                    for frame in waiting.drain(..).flatten() {
                        if self.write(frame).await.is_err() {
                            return;
                        }
                    }
                }
                Some((id, answer)) = work.next() => match answer {
                    Some(answer) => self.handle(Input::Answered { id, answer }),
                    // A fault: the connection breaks in place of the answer.
                    None => return,
                },
                () = expire.notified() => self.handle(Input::TokenEnds),
                () = sleep_until(deadline) => self.handle(Input::Timeout),
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(now_ms(&self.app), input);
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        let left = self.session.next_deadline().map(|at| at.saturating_sub(now_ms(&self.app)));
        // A clock that stands still is looked at again later.
        let left = Duration::from_millis(left.map_or(u64::MAX, |left| u64::try_from(left).unwrap_or_default()));
        now.checked_add(left.clamp(Duration::from_millis(1), LONGEST_SLEEP)).unwrap_or(now)
    }

    /// Does what the session wants done, and sends what was written.
    async fn settle(&mut self, work: &mut Work) -> Result<(), Ended> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(bytes) => self.write(bytes.into()).await?,
                Output::Authenticate { id, token } => {
                    let verdict = token::check(&self.app.account, &token.0, now_ms(&self.app));
                    let fault = verdict.as_ref().ok().and_then(|grant| self.app.faults.init(&grant.identity));
                    // Only a connection that begins can be refused by a fault.
                    let verdict = match fault.filter(|_| self.identity.is_none()) {
                        Some(fault) => Err(Refusal::from(fault)),
                        None => verdict,
                    };
                    self.handle(Input::Verdict { id, verdict });
                }
                Output::Connected { identity } => {
                    self.identity = Some(identity.clone());
                    // Before anything that the client asks can be carried out, the hub knows the socket.
                    match self.connect(identity).await {
                        Ok(client) => self.client = Some(client),
                        Err(_) => return Err(Ended),
                    }
                }
                Output::Request { id, request, payload } => {
                    if let Some(client) = self.client.clone() {
                        let app = self.app.clone();
                        let answered = async move {
                            let answer = answer(&app, &client, &request, &payload).await;
                            (id, answer)
                        };
                        work.push(answered.boxed());
                    }
                }
                Output::Close => {
                    // The other end may be gone already.
                    drop(timeout(WRITE_TIMEOUT, self.stream.close(None)).await);
                    return Err(Ended);
                }
                _ => {}
            }
        }
        match timeout(WRITE_TIMEOUT, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Ended),
        }
    }

    async fn connect(&mut self, identity: String) -> Result<Client, ApiError> {
        let handle = SocketHandle {
            id: self.id,
            identity: identity.clone(),
            since: self.app.clock.now(),
            frames: self.frames.clone(),
            cut: self.cut.clone(),
            expire: Arc::clone(&self.expire),
            sent: Arc::clone(&self.sent),
        };
        let user = self.app.owner.call(move |state| {
            let user = state.ensure_user(state.account.chat_service_sid, &handle.identity, None)?;
            state.send(Outgoing::Sockets(SocketOrder::Connected(handle)));
            Ok::<u64, ApiError>(user)
        });
        let user = user.await??;
        Ok(Client { socket: self.id, user, identity, base: self.base.as_str().into() })
    }

    /// Writes one message, as the faults want it.
    async fn write(&mut self, frame: Bytes) -> Result<(), Ended> {
        if self.is_silent {
            return Ok(());
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        match self.app.faults.socket(self.identity.as_deref(), number) {
            SocketPlan::Pass => {}
            SocketPlan::Stall(delay) => {
                self.stream.flush().await.map_err(|_| Ended)?;
                crate::faults::pause(delay).await;
            }
            SocketPlan::HalfOpen => {
                self.is_silent = true;
                return Ok(());
            }
            SocketPlan::Cut => {
                self.stream.flush().await.map_err(|_| Ended)?;
                return Err(Ended);
            }
            SocketPlan::CutInFrame => {
                self.stream.flush().await.map_err(|_| Ended)?;
                let io = self.stream.get_mut();
                let half = frame.get(..frame.len() / 2).unwrap_or_default();
                io.write_all(&frame_head(frame.len())).await?;
                io.write_all(half).await?;
                io.flush().await?;
                return Err(Ended);
            }
        }
        match timeout(WRITE_TIMEOUT, self.stream.feed(Message::Binary(frame))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Ended),
        }
    }
}

impl From<InitPlan> for Refusal {
    fn from(plan: InitPlan) -> Self {
        let backoff = |reconnect_min_ms| Backoff { backoff_policy: BackoffPolicy { reconnect_min_ms } };
        Self { status: plan.status, error_code: plan.code, backoff: plan.backoff_ms.map(backoff) }
    }
}

/// How a binary WebSocket message of this length begins, from a server.
fn frame_head(length: usize) -> Vec<u8> {
    let mut head = vec![0x82];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => head.push(short),
        (_, Ok(middle)) => {
            head.push(126);
            head.extend(middle.to_be_bytes());
        }
        _ => {
            head.push(127);
            head.extend(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    head
}

fn now_ms(app: &App) -> i64 {
    app.clock.now().as_millisecond()
}

/// Entries of its queue that a socket writes before it looks at anything else.
const WRITE_AT_ONCE: usize = 64;
/// How long a peer may take to read what is sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a socket sleeps at most before it looks at the clock.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_begins_as_the_standard_says() {
        assert_eq!(frame_head(125), [0x82, 125]);
        assert_eq!(frame_head(126), [0x82, 126, 0, 126]);
        assert_eq!(frame_head(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
