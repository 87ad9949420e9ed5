//! `<Dial>`: another leg, joined with this one.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use trunkline_proto::twiml::{Dial, DialTarget, Number};

use super::callbacks::StatusCallback;
use super::document::Document;
use super::interpreter::{Flow, Interpreter, tones};
use super::leg::{Leg, Stopped};
use super::place::RecordPlan;
use super::plane::{HungUpBy, Joint, Phase, Source};
use super::recorder::Sides;
use super::run;
use crate::state::calls::NewCall;
use crate::state::calls::records::{CallDirection, CallStatus};
use crate::state::events::Params;
use crate::state::limits;

impl Interpreter<'_> {
    /// Boxed: a leg runs documents, and documents start legs.
    pub(super) fn dial<'b>(
        &'b mut self,
        dial: &'b Dial,
    ) -> Pin<Box<dyn Future<Output = Result<Flow, Stopped>> + Send + 'b>> {
        Box::pin(self.dial_and_join(dial))
    }

    async fn dial_and_join(&mut self, dial: &Dial) -> Result<Flow, Stopped> {
        if dial.answer_on_bridge != Some(true) {
            self.answer().await;
        }
        let number = dial.targets.iter().find_map(|target| match target {
            DialTarget::Number(number) => Some(number),
            _ => None,
        });
        let Some(number) = number else {
            let what = dial.targets.first().map_or("nobody", |target| match target {
                DialTarget::Client(_) => "a <Client>",
                DialTarget::Sip(_) => "<Sip>",
                DialTarget::Conference(_) => "a <Conference>",
                DialTarget::Queue(_) => "a <Queue>",
                _ => "somebody without a number",
            });
            let note = format!("<Dial> names {what}, and this emulator dials telephone numbers only: it failed");
            self.leg.note(13224, 0, &note).await;
            return Ok(self.dialled(dial, None, CallStatus::Failed, 0));
        };
        if !limits::is_phone_number(&number.number) {
            self.leg.note(13223, 0, "<Dial> names no valid telephone number").await;
            return Ok(self.dialled(dial, None, CallStatus::Failed, 0));
        }
        let Some(child) = self.call(dial, number).await else {
            return Ok(self.dialled(dial, None, CallStatus::Failed, 0));
        };
        let outcome = self.join(dial, &child).await;
        if child.plane().joint != Joint::Alone {
            child.hang_up(HungUpBy::Document);
        }
        let bridged = child.until_even_after(|plane| match plane.phase {
            Phase::Over(status) => Some(status),
            _ => (plane.joint == Joint::Alone).then_some(CallStatus::Completed),
        });
        let status = tokio::time::timeout(PATIENCE, bridged).await.unwrap_or(CallStatus::Failed);
        let seconds = outcome?;
        self.leg.change(|plane| plane.source = Source::Silence);
        Ok(self.dialled(dial, Some(&child), status, seconds))
    }

    /// Starts the other leg.
    async fn call(&self, dial: &Dial, number: &Number) -> Option<Arc<Leg>> {
        let leg = self.leg;
        // The one who is called sees the caller, unless the document says otherwise.
        let from = dial.caller_id.clone().unwrap_or_else(|| leg.from.clone());
        let new = NewCall {
            from,
            to: number.number.clone(),
            direction: CallDirection::OutboundDial,
            parent: Some(leg.sid),
            status: CallStatus::Queued,
        };
        let events = number.status_callback_event.as_deref().unwrap_or("completed");
        let callback = StatusCallback {
            target: self.target(number.status_callback.as_deref(), number.status_callback_method),
            events: events.split_whitespace().map(str::to_owned).collect(),
        };
        let timeout = Duration::from_secs(u64::from(dial.timeout.unwrap_or(RING_S)));
        let document = self.target(number.url.as_deref(), number.method).map(Document::at);
        let digits = number.send_digits.as_deref().and_then(tones);
        let work = |child: Arc<Leg>| async move {
            child.tell("initiated", "initiated", |_| ());
            child.move_on(CallStatus::Ringing, "ringing", None).await;
            match run::ring(&child, timeout).await {
                run::Rung::Ended(status, sip) => {
                    child.move_on(status, "completed", Some(sip)).await;
                }
                run::Rung::Answered(mut party, report) => {
                    run::answered(&child, &mut party).await;
                    let near = async {
                        if let Some(tones) = digits {
                            let _played = child.play(tones, 1).await.is_ok();
                        }
                        if let Some(document) = document {
                            let _done = Interpreter::new(&child).aside(document).await.is_ok();
                        }
                        child.change(|plane| plane.joint = Joint::Ready);
                        if child.stopped().await == Stopped::Redirected {
                            // A request took this leg elsewhere: it goes on by itself.
                            let next = child.change(|plane| {
                                plane.source = Source::Silence;
                                plane.joint = Joint::Alone;
                                plane.next.take()
                            });
                            if let Some(document) = next {
                                Interpreter::new(&child).run(document).await;
                            }
                        }
                    };
                    run::talk(&child, &mut party, run::limited(&child, run::MAX_CALL, near)).await;
                    run::finish(&child, party, report, None).await;
                }
            }
        };
        leg.net.begin(new, callback, work).await.ok().map(|(_, child)| child)
    }

    /// Joins both legs until one of them is gone. Returns the seconds of talk.
    async fn join(&self, dial: &Dial, child: &Leg) -> Result<u64, Stopped> {
        let ready = child.until_even_after(|plane| match plane.phase {
            Phase::Over(_) => Some(false),
            _ => (plane.joint == Joint::Ready).then_some(true),
        });
        if !self.leg.unless_stopped(ready).await? {
            return Ok(0);
        }
        self.answer().await;
        let begun = Instant::now();
        let recording = match dial.record.as_deref() {
            Some(how) if how.starts_with("record-from") => {
                let sides = if how.ends_with("dual") { Sides::Dual } else { Sides::Mixed };
                let target =
                    self.target(dial.recording_status_callback.as_deref(), dial.recording_status_callback_method);
                let events = dial.recording_status_callback_event.as_deref().unwrap_or("completed");
                let events = events.split_whitespace().map(str::to_owned).collect();
                let callback = StatusCallback { target, events };
                self.leg.start_recording(RecordPlan { sides, source: "DialVerb", callback }).await
            }
            _ => None,
        };
        let from_here = self.leg.plane().listen(true, false);
        let from_there = child.plane().listen(true, false);
        child.change(|plane| plane.source = Source::Bridge(from_here));
        self.leg.change(|plane| plane.source = Source::Bridge(from_there));
        let limit = Duration::from_secs(u64::from(dial.time_limit.unwrap_or(LIMIT_S)));
        let parted = child.until_even_after(|plane| {
            (plane.joint == Joint::Alone || plane.hung_up.is_some() || matches!(plane.phase, Phase::Over(_)))
                .then_some(())
        });
        let over = tokio::time::timeout(limit, parted);
        let star = async {
            if dial.hangup_on_star != Some(true) {
                std::future::pending::<()>().await;
            }
            let _pressed = self.leg.until(|plane| plane.digits.contains(&'*').then_some(())).await.is_ok();
        };
        let outcome = self
            .leg
            .unless_stopped(async {
                tokio::select! { _ = over => {}, () = star => {} }
            })
            .await;
        if let Some(recording) = recording {
            self.leg.stop_recording(recording).await;
        }
        outcome?;
        Ok(begun.elapsed().as_secs())
    }

    fn dialled(&self, dial: &Dial, child: Option<&Arc<Leg>>, status: CallStatus, seconds: u64) -> Flow {
        let Some(action) = dial.action.as_deref() else { return Flow::Next };
        let mut extra: Params = vec![("DialCallStatus", status.as_str().to_owned())];
        if let Some(child) = child {
            extra.push(("DialCallSid", child.sid.to_string()));
        }
        if status == CallStatus::Completed {
            extra.push(("DialCallDuration", seconds.to_string()));
            extra.push(("DialBridged", "true".to_owned()));
        }
        self.action(Some(action), dial.method, extra)
    }
}

const RING_S: u32 = 30;
const LIMIT_S: u32 = 14_400;
/// How long the other leg may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
