//! Media Streams: the call's audio at a server, and the server's at the call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_audio::FRAME_MS;
use trunkline_proto::media::{CONGESTION, CallFacts, CallerSession, Command};
use trunkline_proto::sid::{AnySid, StreamSid};
use trunkline_proto::{media, twiml};

use super::leg::{Leg, Stopped};
use super::plane::{Heard, Source, Streamed};
use super::player::StreamPlayer;
use super::socket::{self, Socket};
use crate::clock::iso_millis;
use crate::state::calls::records::StreamRecord;
use crate::state::events::{Params, Target};

/// A stream as a document or a request asks for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamPlan {
    pub(crate) url: String,
    pub(crate) name: Option<String>,
    pub(crate) track: Option<twiml::Track>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) callback: Option<Target>,
}

impl StreamPlan {
    pub(super) fn of(stream: &twiml::Stream, callback: Option<Target>) -> Self {
        let parameters = stream.parameters.iter().filter_map(|parameter| {
            let (name, value) = (parameter.name.clone()?, parameter.value.clone().unwrap_or_default());
            (name.len().saturating_add(value.len()) <= MAX_PARAMETER).then_some((name, value))
        });
        Self {
            url: stream.url.clone().unwrap_or_default(),
            name: stream.name.clone(),
            track: stream.track,
            parameters: parameters.collect(),
            callback,
        }
    }
}

/// What runs beside a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BesideKind {
    Stream,
    Transcription,
}

/// Something beside the call, by which it can be stopped.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) kind: BesideKind,
    pub(crate) sid: AnySid,
    pub(crate) name: String,
    pub(crate) stop: CancellationToken,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The server closed it.
    Server,
    /// The call ended, or the stream was stopped.
    Here,
    /// Twilio's error.
    Failed(u32),
}

/// One stream while it runs.
struct Running<'a> {
    leg: &'a Leg,
    sid: StreamSid,
    session: CallerSession,
    socket: Socket,
    out: Vec<u8>,
    audio: Vec<u8>,
    both_ways: bool,
    /// The first frame of the stream, and the next ones that are expected of each side, counted from there.
    begun: Option<u64>,
    inbound: u64,
    outbound: u64,
    warned_of_congestion: bool,
    warned_of_queue: bool,
    streamed: Streamed,
}

impl Leg {
    /// Hands the call to a server until that closes the socket.
    pub(super) async fn connect_stream(&self, plan: StreamPlan) -> Result<(), Stopped> {
        if !matches!(plan.track, None | Some(twiml::Track::Inbound)) {
            self.note(31941, 0, "Inside <Connect> a <Stream> has only the inbound track").await;
            return Ok(());
        }
        let frames = self.plane().listen(true, false);
        self.change(|plane| plane.source = Source::Stream(Box::default()));
        let stop = CancellationToken::new();
        let end = run(self, &plan, StreamSid::from_random(rand::random()), frames, true, &stop).await;
        self.change(|plane| plane.source = Source::Silence);
        match end {
            // The call has ended or goes on elsewhere.
            End::Here => self.until(|_| None::<()>).await,
            End::Server | End::Failed(_) => Ok(()),
        }
    }

    /// Sends the call's audio to a server while the call goes on. Returns the stream, or nothing if there are too many.
    pub(crate) async fn start_stream(self: &Arc<Self>, plan: StreamPlan) -> Option<(StreamSid, String)> {
        let sid = StreamSid::from_random(rand::random());
        let name = plan.name.clone().unwrap_or_else(|| sid.to_string());
        let stop = CancellationToken::new();
        let (inbound, outbound) = tracks(plan.track);
        let one = Beside { kind: BesideKind::Stream, sid: sid.into(), name: name.clone(), stop: stop.clone() };
        let frames = self.plane().beside(one, inbound, outbound);
        let Some(frames) = frames else {
            self.note(31940, 0, "The call has as many streams as it may have").await;
            return None;
        };
        let leg = Arc::clone(self);
        let work = async move {
            run(&leg, &plan, sid, frames, false, &stop).await;
            leg.plane().beside.retain(|one| one.sid != AnySid::from(sid));
        };
        self.net.calls().spawn(work.instrument(tracing::debug_span!("emulator.stream", %sid)));
        Some((sid, name))
    }

    /// Stops what is beside the call by name or SID, or the only one of its kind.
    pub(crate) fn stop_beside(&self, kind: BesideKind, name: Option<&str>) -> Option<(AnySid, String)> {
        let plane = self.plane();
        let mut of_kind = plane.beside.iter().filter(|one| one.kind == kind);
        let found = of_kind.find(|one| name.is_none_or(|name| one.name == name || one.sid.as_str() == name))?;
        found.stop.cancel();
        Some((found.sid, found.name.clone()))
    }
}

pub(super) fn tracks(track: Option<twiml::Track>) -> (bool, bool) {
    match track {
        None | Some(twiml::Track::Inbound) => (true, false),
        Some(twiml::Track::Outbound) => (false, true),
        Some(twiml::Track::Both) => (true, true),
    }
}

async fn run(
    leg: &Leg,
    plan: &StreamPlan,
    sid: StreamSid,
    frames: mpsc::Receiver<Heard>,
    both_ways: bool,
    stop: &CancellationToken,
) -> End {
    let name = plan.name.clone().unwrap_or_else(|| sid.to_string());
    let tell = |event: &str, error: Option<u32>| {
        let Some(target) = plan.callback.clone() else { return };
        let mut params: Params = vec![
            ("AccountSid", leg.net.account().account_sid.to_string()),
            ("CallSid", leg.sid.to_string()),
            ("StreamSid", sid.to_string()),
            ("StreamName", name.clone()),
            ("StreamEvent", event.to_owned()),
            ("Timestamp", iso_millis(leg.net.clock().now())),
        ];
        if let Some(error) = error {
            params.push(("StreamError", error.to_string()));
        }
        leg.callbacks.tell(target, params);
    };
    record(leg, sid, &name, false).await;
    // What is beside a call outlives its documents.
    let over = async {
        if both_ways {
            leg.stopped().await;
        } else {
            leg.ended().await;
        }
    };
    let opened = tokio::select! {
        biased;
        () = over => None,
        opened = open(leg, plan, sid, both_ways) => Some(opened),
    };
    let end = match opened {
        None => End::Here,
        Some(Err(code)) => End::Failed(code),
        Some(Ok(mut running)) => {
            tell("stream-started", None);
            let end = running.run(frames, stop).await;
            if both_ways {
                leg.plane().streamed.add(running.streamed);
            }
            end
        }
    };
    match end {
        End::Failed(code) => {
            leg.note(code, 0, "The stream's socket failed").await;
            tell("stream-error", Some(code));
        }
        End::Server | End::Here => tell("stream-stopped", None),
    }
    record(leg, sid, &name, true).await;
    end
}

async fn record(leg: &Leg, sid: StreamSid, name: &str, stopped: bool) {
    let stream = StreamRecord { sid, name: name.to_owned(), stopped, date_updated: leg.net.clock().now() };
    let call = leg.sid;
    // The call may have been deleted meanwhile.
    drop(leg.net.owner().call(move |state| state.put_stream(call, stream)).await);
}

async fn open<'a>(leg: &'a Leg, plan: &StreamPlan, sid: StreamSid, both_ways: bool) -> Result<Running<'a>, u32> {
    // Query strings are not supported: they are dropped.
    let url = plan.url.split(['?', '#']).next().unwrap_or_default();
    let socket = socket::open(url, &leg.net.account().auth_token).await?;
    let (inbound, outbound) = tracks(plan.track);
    let sides = [(inbound, media::Track::Inbound), (outbound, media::Track::Outbound)];
    let facts = CallFacts {
        account_sid: leg.net.account().account_sid.to_string(),
        call_sid: leg.sid.to_string(),
        stream_sid: sid.to_string(),
        tracks: sides.into_iter().filter(|(sent, _)| *sent).map(|(_, track)| track).collect(),
        custom_parameters: plan.parameters.clone(),
    };
    Ok(Running {
        leg,
        sid,
        session: CallerSession::new(facts),
        socket,
        out: Vec::with_capacity(MESSAGE_BYTES),
        audio: Vec::new(),
        both_ways,
        begun: None,
        inbound: 0,
        outbound: 0,
        warned_of_congestion: false,
        warned_of_queue: false,
        streamed: Streamed::default(),
    })
}

impl Running<'_> {
    async fn run(&mut self, mut frames: mpsc::Receiver<Heard>, stop: &CancellationToken) -> End {
        self.session.write_connected(&mut self.out);
        if let Err(code) = self.send().await {
            return End::Failed(code);
        }
        self.session.write_start(&mut self.out);
        if let Err(code) = self.send().await {
            return End::Failed(code);
        }
        // The stream begins now; what went by while the socket was opened is none of its.
        while frames.try_recv().is_ok() {}
        loop {
            let leg = self.leg;
            let sent = tokio::select! {
                biased;
                _ = leg.stopped(), if self.both_ways => return self.stop().await,
                () = leg.ended() => return self.stop().await,
                () = stop.cancelled() => return self.stop().await,
                mark = leg.until_even_after(|plane| player(&mut plane.source)?.next_due()), if self.both_ways => {
                    self.session.write_mark(&mark, &mut self.out);
                    self.send().await
                }
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        self.command(&text).await;
                        Ok(())
                    }
                    Some(Ok(Message::Binary(_))) => {
                        if let Some(code) = self.session.binary().warning {
                            self.leg.note(code, 1, "The server sent a binary frame").await;
                        }
                        Ok(())
                    }
                    Some(Ok(Message::Close(frame))) => return closed(frame.as_ref()),
                    Some(Ok(_)) => Ok(()),
                    Some(Err(_)) => return End::Failed(31921),
                    None => return End::Server,
                },
                heard = frames.recv() => match heard {
                    Some(heard) => {
                        let sent = self.hear(heard).await;
                        if !frames.is_empty() {
                            // A clock that catches up lets the server have its say between the frames.
                            tokio::task::yield_now().await;
                        }
                        sent
                    }
                    None => return self.stop().await,
                },
            };
            if let Err(code) = sent {
                return End::Failed(code);
            }
        }
    }

    async fn hear(&mut self, heard: Heard) -> Result<(), u32> {
        let (track, frame, number) = match heard {
            Heard::Inbound(frame, number) => (media::Track::Inbound, frame, number),
            Heard::Outbound(frame, number) => (media::Track::Outbound, frame, number),
            Heard::Digit(digit) if self.both_ways => {
                self.session.write_dtmf(digit, &mut self.out);
                return self.send().await;
            }
            Heard::Digit(_) => return Ok(()),
        };
        let begun = *self.begun.get_or_insert(number);
        let at = number.saturating_sub(begun);
        let expected = if track == media::Track::Inbound { &mut self.inbound } else { &mut self.outbound };
        // The socket was too slow for so long that frames were lost.
        let lost = at > *expected;
        self.streamed.dropped = self.streamed.dropped.saturating_add(at.saturating_sub(*expected));
        *expected = at.saturating_add(1);
        if lost && !std::mem::replace(&mut self.warned_of_congestion, true) {
            self.leg.note(CONGESTION, 1, "The server reads too slowly, audio was dropped").await;
        }
        self.session.write_media(track, at.saturating_mul(FRAME_MS), &frame, &mut self.out);
        self.streamed.sent = self.streamed.sent.saturating_add(1);
        self.send().await
    }

    async fn command(&mut self, text: &Utf8Bytes) {
        if !self.both_ways {
            return;
        }
        let warning = match self.session.text(text) {
            Err(refused) => refused.warning.map(|code| (code, "The server sent a message that is not valid")),
            Ok(Command::Media(payload)) => {
                self.audio.clear();
                if payload.decode_onto(&mut self.audio).is_ok() {
                    let frames = self.audio.len().div_ceil(trunkline_audio::FRAME_SAMPLES) as u64;
                    self.streamed.received = self.streamed.received.saturating_add(frames);
                    let full = self.leg.change(|plane| {
                        player(&mut plane.source).is_some_and(|player| player.media(&self.audio).is_err())
                    });
                    (full && !std::mem::replace(&mut self.warned_of_queue, true))
                        .then_some((media::QUEUE_OVERFLOW, "More than ten minutes of audio were queued"))
                } else {
                    Some((media::INVALID_MESSAGE, "The payload is not base64"))
                }
            }
            Ok(Command::Mark(name)) => {
                let full = self.leg.change(|plane| {
                    player(&mut plane.source).is_some_and(|player| player.mark(name.into_owned()).is_err())
                });
                full.then_some((media::QUEUE_OVERFLOW, "Too many marks were queued"))
            }
            Ok(Command::Clear) => {
                let sent_ms = self.begun.unwrap_or_default().saturating_add(self.inbound).saturating_mul(FRAME_MS);
                self.leg.change(|plane| {
                    if let Some(player) = player(&mut plane.source) {
                        player.clear();
                    }
                    plane.cleared_ms = Some(sent_ms);
                });
                None
            }
        };
        if let Some((code, text)) = warning {
            self.leg.note(code, 1, text).await;
        }
    }

    /// Says that it is over, and closes.
    async fn stop(&mut self) -> End {
        self.session.write_stop(&mut self.out);
        let _told = self.send().await.is_ok();
        let close = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        let closing = self.socket.close(Some(close));
        if tokio::time::timeout(CLOSE_PATIENCE, closing).await.is_err() {
            tracing::debug!(stream = %self.sid, "a stream's socket did not close in time");
        }
        End::Here
    }

    async fn send(&mut self) -> Result<(), u32> {
        let bytes = Bytes::copy_from_slice(&self.out);
        self.out.clear();
        let text = Utf8Bytes::try_from(bytes).map_err(|_| 31924_u32)?;
        match tokio::time::timeout(SEND_PATIENCE, self.socket.send(Message::Text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(31903),
            Err(_) => Err(CONGESTION),
        }
    }
}

fn player(source: &mut Source) -> Option<&mut StreamPlayer> {
    match source {
        Source::Stream(player) => Some(player),
        _ => None,
    }
}

/// A close without an error is the server's way to say that it is done.
fn closed(frame: Option<&CloseFrame>) -> End {
    match frame.map(|frame| frame.code) {
        None | Some(CloseCode::Normal | CloseCode::Away | CloseCode::Status) => End::Server,
        Some(_) => End::Failed(31921),
    }
}

/// Room for the message of one frame.
const MESSAGE_BYTES: usize = 512;
/// Name and value of a parameter, in bytes.
const MAX_PARAMETER: usize = 500;
/// How long a server may take to read one message.
const SEND_PATIENCE: Duration = Duration::from_secs(5);
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
