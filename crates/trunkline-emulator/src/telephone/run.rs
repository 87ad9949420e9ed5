//! The task of a call: it rings, is answered or not, ticks until it is over, and says how it was.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use trunkline_audio::FRAME_MS;

use super::answering::{Answering, AnsweringRule};
use super::document::Document;
use super::interpreter::Interpreter;
use super::leg::Leg;
use super::line::{FromLine, LineCall, LineParty, ToLine};
use super::party::Party;
use super::place::{Caller, Outbound, RecordPlan, tell_line};
use super::plane::{HungUpBy, Phase};
use super::recorder::Sides;
use super::script::{ScriptRun, SharedReport};
use super::{amd, callbacks::StatusCallback};
use crate::state::calls::records::{CallStatus, NumberRecord};
use crate::state::events::Target;

/// How ringing ended.
pub(super) enum Rung {
    Answered(Party, Option<SharedReport>),
    /// Not answered, with the answer of the telephone network.
    Ended(CallStatus, u16),
}

/// A call that the account makes.
pub(super) async fn outbound(leg: Arc<Leg>, plan: Outbound) {
    leg.set_fallback(plan.fallback.clone());
    leg.tell("initiated", "initiated", |_| ());
    leg.move_on(CallStatus::Ringing, "ringing", None).await;
    match ring(&leg, plan.timeout).await {
        Rung::Ended(status, sip) => {
            leg.move_on(status, "completed", Some(sip)).await;
        }
        Rung::Answered(mut party, report) => {
            answered(&leg, &mut party).await;
            let machine = party.is_machine();
            let near = async {
                if let Some(record) = plan.record {
                    leg.start_recording(record).await;
                }
                if let Some(tones) = plan.send_digits
                    && leg.play(tones, 1).await.is_err()
                {
                    return;
                }
                let detection = plan.machine_detection.as_ref();
                if let Some(detection) = detection.filter(|detection| !detection.asynchronous) {
                    amd::detect(&leg, detection, machine).await;
                }
                let document = Interpreter::new(&leg).run(plan.document);
                match detection.filter(|detection| detection.asynchronous) {
                    Some(detection) => {
                        let beside = async {
                            amd::detect(&leg, detection, machine).await;
                            std::future::pending::<()>().await;
                        };
                        tokio::select! { () = document => {}, () = beside => {} }
                    }
                    None => document.await,
                }
            };
            talk(&leg, &mut party, limited(&leg, plan.time_limit, Box::pin(near))).await;
            finish(&leg, party, report, None).await;
        }
    }
}

/// A call that a phone makes.
pub(super) async fn inbound(leg: Arc<Leg>, number: NumberRecord, caller: Caller) {
    let fallback = number.voice_fallback_url.clone();
    leg.set_fallback(fallback.map(|url| Target { url, method: number.voice_fallback_method }));
    let (mut party, report, record) = caller.party();
    if let Party::Line(line) = &party {
        line.tell(json!({"type": "ringing", "call": leg.sid}));
    }
    let recording = if record {
        let plan =
            RecordPlan { sides: Sides::Dual, source: "StartCallRecordingAPI", callback: StatusCallback::default() };
        leg.start_recording(plan).await
    } else {
        None
    };
    let document = match number.voice_url.clone() {
        Some(url) => Document::at(Target { url, method: number.voice_method }),
        None => Document::Inline(NO_WEBHOOK.to_owned()),
    };
    let near = Interpreter::new(&leg).run(document);
    talk(&leg, &mut party, limited(&leg, MAX_CALL, near)).await;
    finish(&leg, party, report, recording).await;
}

/// Rings at the far side until somebody does something, or the time is over.
pub(super) async fn ring(leg: &Leg, timeout: Duration) -> Rung {
    let number = leg.phone().to_owned();
    let line = leg.net.line(&number);
    let rung = async {
        match &line {
            Some((to_line, calls)) => ring_line(leg, to_line.clone(), calls).await,
            None => ring_by_rule(leg, &number).await,
        }
    };
    let outcome = match tokio::time::timeout(timeout, leg.unless_stopped(rung)).await {
        Ok(Ok(rung)) => rung,
        // Another document cannot take over before there is a call; only an end gets here.
        Ok(Err(_)) => Rung::Ended(CallStatus::Canceled, 487),
        Err(_) => Rung::Ended(CallStatus::NoAnswer, 487),
    };
    if let (Rung::Ended(status, _), Some((to_line, _))) = (&outcome, &line) {
        let ended = json!({"type": "ended", "call": leg.sid, "status": status.as_str(), "duration": 0});
        tell_line(to_line, ended);
    }
    outcome
}

async fn ring_by_rule(leg: &Leg, number: &str) -> Rung {
    let phone = number.to_owned();
    let known = leg.net.owner().call(move |state| state.answering(&phone)).await.unwrap_or_default();
    // A rule was checked when it was set.
    let rule: AnsweringRule =
        known.and_then(|rule| serde_json::from_str(&rule).ok()).unwrap_or_else(AnsweringRule::silent);
    let prepared = match rule.kind() {
        Answering::Script | Answering::Machine => rule.prepare(leg.net.studio()).await,
        _ => Ok(Vec::new()),
    };
    tokio::time::sleep(Duration::from_millis(rule.ring_ms())).await;
    match (rule.kind(), prepared) {
        (Answering::Answer, _) => Rung::Answered(Party::Silent, None),
        (Answering::Busy, _) => Rung::Ended(CallStatus::Busy, 486),
        (Answering::Reject, _) => Rung::Ended(CallStatus::Busy, 603),
        (Answering::NoAnswer, _) => std::future::pending().await,
        (kind, Ok(steps)) => {
            let report = SharedReport::default();
            let script = ScriptRun::new(steps, kind == Answering::Machine, report.clone());
            Rung::Answered(Party::Script(Box::new(script)), Some(report))
        }
        (_, Err(problem)) => {
            leg.note(13224, 0, &problem.message).await;
            Rung::Ended(CallStatus::Failed, 500)
        }
    }
}

async fn ring_line(leg: &Leg, to_line: mpsc::Sender<ToLine>, calls: &mpsc::Sender<LineCall>) -> Rung {
    let (commands, mut from_line) = mpsc::channel(LINE_COMMANDS);
    if calls.try_send(LineCall { sid: leg.sid, from: leg.from.clone(), commands }).is_err() {
        return Rung::Ended(CallStatus::Busy, 486);
    }
    loop {
        match from_line.recv().await {
            Some(FromLine::Answer) => {
                return Rung::Answered(Party::Line(LineParty::new(from_line, to_line)), None);
            }
            Some(FromLine::Reject | FromLine::HangUp) => return Rung::Ended(CallStatus::Busy, 603),
            // The phone is in another call, or was put away.
            None => return Rung::Ended(CallStatus::Busy, 486),
            Some(FromLine::Audio(_) | FromLine::Digit(_) | FromLine::Say { .. }) => {}
        }
    }
}

/// Tells everybody that somebody answered.
pub(super) async fn answered(leg: &Leg, party: &mut Party) {
    leg.move_on(CallStatus::InProgress, "answered", None).await;
    party.answered(leg);
}

/// Lets both sides talk until the near side is done.
pub(super) async fn talk(leg: &Leg, party: &mut Party, near: impl Future<Output = ()>) {
    let mut clock = tokio::time::interval(Duration::from_millis(FRAME_MS));
    let mut was_talking = leg.plane().phase == Phase::Talking;
    tokio::pin!(near);
    loop {
        tokio::select! {
            biased;
            _ = clock.tick() => {
                let is_talking = leg.plane().phase == Phase::Talking;
                if is_talking && !was_talking {
                    party.answered(leg);
                    was_talking = true;
                }
                let news = leg.plane().tick(party);
                if news {
                    leg.wake();
                }
            }
            () = &mut near => return,
        }
    }
}

/// The near side, for as long as a call may last; what it has to clean up gets a moment.
pub(super) async fn limited(leg: &Leg, limit: Duration, near: impl Future<Output = ()>) {
    tokio::pin!(near);
    let limit = async {
        leg.until_even_after(|plane| (plane.phase == Phase::Talking).then_some(())).await;
        let answered = Instant::now();
        loop {
            let known = leg.plane().limit.unwrap_or(limit);
            let changed = leg.until_even_after(|plane| (plane.limit.unwrap_or(limit) != known).then_some(()));
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(known.saturating_sub(answered.elapsed())) => break,
            }
        }
        leg.hang_up(HungUpBy::Network);
        std::future::pending::<()>().await;
    };
    let patience = async {
        leg.until_even_after(|plane| plane.hung_up.map(|_| ())).await;
        tokio::time::sleep(CLEAN_UP).await;
    };
    tokio::select! {
        () = &mut near => {}
        () = limit => {}
        () = patience => {}
    }
}

/// Ends the call: recordings, status, results.
pub(super) async fn finish(
    leg: &Leg,
    mut party: Party,
    report: Option<SharedReport>,
    recording: Option<trunkline_proto::sid::RecordingSid>,
) {
    leg.hang_up(HungUpBy::Document);
    let (phase, ending, by, streamed) = {
        let plane = leg.plane();
        (plane.phase, plane.ending, plane.hung_up, plane.streamed)
    };
    let status = match (phase, ending) {
        (Phase::Over(status), _) | (_, Some(status)) => status,
        (Phase::Talking, None) => CallStatus::Completed,
        (Phase::Ringing, None) => CallStatus::Canceled,
    };
    leg.finish_recordings().await;
    let seconds = leg.move_on(status, "completed", None).await;
    party.ended(leg, status, seconds);
    if let Some(report) = report {
        let expectations = report.lock().take_expectations();
        for (place, expectation) in expectations {
            let heard = leg.net.studio().understand(&expectation.audio, &expectation.phrases).await.ok();
            report.lock().understood(place, expectation.step, heard);
        }
        let mut result = report.lock().result();
        result.hung_up_by = by;
        result.streamed = streamed;
        result.recording_url = recording.map(|sid| leg.net.recording_url(sid));
        leg.net.keep_result(leg.sid, result);
    }
}

/// What a number without a webhook says: as Twilio, that nothing is configured.
const NO_WEBHOOK: &str = "<Response><Say>This number has no voice webhook. Goodbye.</Say></Response>";
/// What a browser may say before it is taken: more than a second of audio.
pub(super) const LINE_COMMANDS: usize = 128;
/// Longest call, as Twilio has it.
pub(super) const MAX_CALL: Duration = Duration::from_hours(4);
/// How long the near side may take after the call has ended.
const CLEAN_UP: Duration = Duration::from_millis(1500);
