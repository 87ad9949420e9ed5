//! The audio of one call, 20 ms at a time: what each side says, and everybody who listens.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use trunkline_audio::FRAME_MS;

use super::clip::{Clips, Frame, QUIET};
use super::document::Document;
use super::party::{Party, Said};
use super::player::StreamPlayer;
use super::recorder::Recorder;
use super::stream::Beside;
use crate::state::calls::records::CallStatus;

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HungUpBy {
    /// The person at the phone.
    Phone,
    /// The document, or its end.
    Document,
    /// A REST request.
    Rest,
    /// A limit of time, or the emulator stopped.
    Network,
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Ringing,
    Talking,
    Over(CallStatus),
}

/// How a leg of `<Dial>` is to the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    /// Not to be joined yet.
    Apart,
    /// To be joined, or joined.
    Ready,
    /// A request took it elsewhere: it goes on without the other one.
    Alone,
}

/// What the near side says.
#[derive(Debug, Default)]
pub(crate) enum Source {
    #[default]
    Silence,
    Clips(Clips),
    Stream(Box<StreamPlayer>),
    /// Another leg.
    Bridge(mpsc::Receiver<Heard>),
}

/// What a listener gets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Heard {
    /// 20 ms of the far side, and their number since the answer.
    Inbound(Frame, u64),
    /// The same of the near side.
    Outbound(Frame, u64),
    /// A key of the far side.
    Digit(char),
}

/// Somebody who listens.
#[derive(Debug)]
struct Tap {
    sender: mpsc::Sender<Heard>,
    inbound: bool,
    outbound: bool,
}

/// The audio of one call.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) phase: Phase,
    /// Frames since it was answered.
    frames: u64,
    pub(crate) source: Source,
    none: Clips,
    /// Keys that nobody has taken yet.
    pub(crate) digits: VecDeque<char>,
    pub(crate) hung_up: Option<HungUpBy>,
    /// What to go on with instead.
    pub(crate) next: Option<Document>,
    pub(crate) recorders: Vec<Recorder>,
    taps: Vec<Tap>,
    /// How the call ends, if its phase does not say.
    pub(crate) ending: Option<CallStatus>,
    pub(crate) joint: Joint,
    /// What the far side said, where its script has the words.
    pub(crate) texts: VecDeque<String>,
    /// What the near side says, where its words are known; for the next tick.
    pub(crate) spoken: VecDeque<String>,
    /// Streams beside the call.
    pub(crate) beside: Vec<Beside>,
    /// The machine that answered will beep.
    pub(crate) machine_beeps: bool,
    /// The sound of the machine that answered is over.
    pub(crate) machine_done: bool,
    /// How long the call may last since its answer, if a request has said so meanwhile.
    pub(crate) limit: Option<Duration>,
    /// A server dropped its queue; the far side's sound had been sent to it up to here. For the next tick.
    pub(crate) cleared_ms: Option<u64>,
    /// What went over the streams that the call was handed to.
    pub(crate) streamed: Streamed,
}

/// Frames of audio, 20 ms each, that went over the sockets of a call.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Streamed {
    /// To the server.
    pub(crate) sent: u64,
    /// From the server.
    pub(crate) received: u64,
    /// Not sent, because the server did not read.
    pub(crate) dropped: u64,
}

impl Streamed {
    pub(crate) fn add(&mut self, more: Self) {
        self.sent = self.sent.saturating_add(more.sent);
        self.received = self.received.saturating_add(more.received);
        self.dropped = self.dropped.saturating_add(more.dropped);
    }
}

impl Plane {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Ringing,
            frames: 0,
            source: Source::Silence,
            none: Clips::default(),
            digits: VecDeque::new(),
            hung_up: None,
            next: None,
            recorders: Vec::new(),
            taps: Vec::new(),
            ending: None,
            joint: Joint::Apart,
            texts: VecDeque::new(),
            spoken: VecDeque::new(),
            beside: Vec::new(),
            machine_beeps: false,
            machine_done: false,
            limit: None,
            cleared_ms: None,
            streamed: Streamed::default(),
        }
    }

    /// Time since it was answered, in milliseconds of audio.
    pub(crate) fn now_ms(&self) -> u64 {
        self.frames.saturating_mul(FRAME_MS)
    }

    /// Listens from now on; what is not taken within a second is lost.
    pub(crate) fn listen(&mut self, inbound: bool, outbound: bool) -> mpsc::Receiver<Heard> {
        let (sender, receiver) = mpsc::channel(TAP_FRAMES);
        if self.taps.len() < MAX_TAPS {
            self.taps.push(Tap { sender, inbound, outbound });
        }
        receiver
    }

    /// Notes something that runs beside the call, and listens for it. Nothing if there is too much already.
    pub(crate) fn beside(&mut self, one: Beside, inbound: bool, outbound: bool) -> Option<mpsc::Receiver<Heard>> {
        let same = self.beside.iter().filter(|other| other.kind == one.kind).count();
        if same >= MAX_BESIDE {
            return None;
        }
        self.beside.push(one);
        Some(self.listen(inbound, outbound))
    }

    /// The near side is about to say this.
    pub(crate) fn says(&mut self, text: &str) {
        if self.spoken.len() < MAX_TEXTS {
            self.spoken.push_back(text.to_owned());
        }
    }

    pub(crate) fn clips(&mut self) -> &mut Clips {
        if !matches!(self.source, Source::Clips(_)) {
            self.source = Source::Clips(Clips::default());
        }
        match &mut self.source {
            Source::Clips(clips) => clips,
            // It was set above.
            _ => &mut self.none,
        }
    }

    /// One step of the clock. `true` if something happened that somebody may wait for.
    pub(crate) fn tick(&mut self, party: &mut Party) -> bool {
        if self.phase != Phase::Talking {
            let said = party.wait();
            return self.take(said);
        }
        let (mut inbound, mut outbound) = (QUIET, QUIET);
        let now_ms = self.now_ms();
        if let Some(sent_ms) = self.cleared_ms.take() {
            party.cleared(sent_ms);
        }
        for text in self.spoken.drain(..) {
            party.told(&text);
        }
        let said = party.speak(now_ms, &mut inbound);
        if let Some(text) = party.take_text()
            && self.texts.len() < MAX_TEXTS
        {
            self.texts.push_back(text);
        }
        let mut news = self.take(said);
        news |= match &mut self.source {
            Source::Silence => false,
            Source::Clips(clips) => clips.pull(&mut outbound),
            Source::Stream(player) => player.pull(&mut outbound),
            Source::Bridge(receiver) => {
                while let Ok(heard) = receiver.try_recv() {
                    match heard {
                        Heard::Inbound(frame, _) => {
                            outbound = frame;
                            break;
                        }
                        Heard::Digit(digit) => party.key(digit),
                        Heard::Outbound(..) => {}
                    }
                }
                false
            }
        };
        party.hear(now_ms, &outbound);
        for recorder in &mut self.recorders {
            recorder.write(&inbound, &outbound);
        }
        self.taps.retain(|tap| !tap.sender.is_closed());
        for tap in &self.taps {
            // A listener that is a second behind loses what it does not take.
            if tap.inbound {
                let _taken = tap.sender.try_send(Heard::Inbound(inbound, self.frames)).is_ok();
            }
            if tap.outbound {
                let _taken = tap.sender.try_send(Heard::Outbound(outbound, self.frames)).is_ok();
            }
        }
        self.frames = self.frames.saturating_add(1);
        news
    }

    fn take(&mut self, said: Said) -> bool {
        if let Some(digit) = said.digit {
            if self.digits.len() >= MAX_DIGITS {
                self.digits.pop_front();
            }
            self.digits.push_back(digit);
            for tap in &self.taps {
                let _taken = tap.sender.try_send(Heard::Digit(digit)).is_ok();
            }
        }
        if said.hung_up && self.hung_up.is_none() {
            self.hung_up = Some(HungUpBy::Phone);
        }
        self.machine_done |= said.machine_done;
        said.digit.is_some() || said.hung_up || said.machine_done
    }
}

/// Frames that wait for a listener: a second of both sides.
const TAP_FRAMES: usize = 100;
/// Texts of the far side that nobody has taken.
const MAX_TEXTS: usize = 100;
/// Streams beside one call, as Twilio has it, and transcriptions.
const MAX_BESIDE: usize = 4;
/// Listeners of one call.
const MAX_TAPS: usize = 16;
/// Keys that wait to be collected; the oldest go first.
const MAX_DIGITS: usize = 128;
