//! A call in which the provider listens and speaks: words come in, words go out as the agent makes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use trunkline_agent::turns::EndReason;
use trunkline_agent::{Agent, Role, Turn, Utterance};
use trunkline_core::voice::{CallControl, ErrorCode, Operation, TextCommand, TextEvent, TextStream, VoiceError};
use trunkline_core::{Channel, Pii};
use trunkline_store::CallTurn;

use super::course::{agent_of, began};
use super::journal::{self, Journal, Known};
use super::journal::{address_of, turn_id};
use super::kept::Kept;
use super::live_calls::or_hung_up;
use super::live_calls::{CallOrder, LiveCall};
use super::provider::{close, control_of, end, give_up};
use super::thinking::{ANSWER_DEADLINE, Grain, Thinking, Thought};
use super::{CallContext, FLUSH_PATIENCE, Outcome, SOURCE, VoicemailPolicy, held};
use crate::telemetry::traceparent;

/// What an agent sees of a call and of what was before, in utterances.
const MAX_HISTORY: usize = 60;
/// Keys that are kept; more are left out.
const MAX_DIGITS: usize = 64;
/// How long a goodbye may take to be spoken when nothing tells that it was.
const GOODBYE_TIME: Duration = Duration::from_secs(6);
/// How long a spoken letter takes, for a goodbye that is to be heard before the line is dropped.
const PER_LETTER: Duration = Duration::from_millis(65);

/// Leads a call until it is over.
pub(super) async fn run(context: &CallContext, live: &Arc<LiveCall>, mut orders: mpsc::Receiver<CallOrder>) {
    let (pipeline, session) = (&context.pipeline, &live.session);
    pipeline.metrics.calls_live(context.calls.count());
    pipeline.live.calls_changed();
    let Some(agent) = agent_of(pipeline, session) else {
        tracing::warn!("a call came in, and no agent is configured that could answer it");
        give_up(context, session).await;
        return;
    };
    let Some(stream) = or_hung_up(context.backend.stream_text(session.id()), live, &mut orders).await else {
        close(context, session).await;
        return;
    };
    let opened = journal::open(pipeline, &context.tasks, session, SOURCE, address_of(session)).await;
    let (journal, known) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(error.code = error.code(), "a call cannot be recorded in the store; it is given up");
            give_up(context, session).await;
            return;
        }
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(error.code = error.code().as_str(), %error, "the words of a call did not come");
            journal.close(Outcome::NotConnected.as_str(), None, 0).await;
            close(context, session).await;
            return;
        }
    };
    let begun = began(session, known.turns);
    let mut call = Call::new(context, live, stream, agent, journal, known, begun);
    let (outcome, control) = call.lead_on(&mut orders).await;
    live.leaves();
    end(context, session, outcome, control).await;
    pipeline.metrics.call_ended(outcome.as_str(), begun.elapsed());
    tracing::Span::current().record("call.outcome", outcome.as_str());
    let duration = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    call.journal.close(outcome.as_str(), None, duration).await;
}

/// An answer that is being made or spoken.
struct Answer {
    turn: CallTurn,
    thinking: Option<Thinking>,
    text: String,
    kept: Kept,
}

struct Call<'a> {
    context: &'a CallContext,
    live: &'a Arc<LiveCall>,
    stream: Box<dyn TextStream>,
    agent: Arc<dyn Agent>,
    journal: Journal,
    contact: String,
    memories: BTreeMap<String, String>,
    history: Vec<Utterance>,
    answer: Option<Answer>,
    digits: String,
    /// When the keys that were pressed are complete.
    digits_due: Option<Instant>,
    /// When the call ends, and how: a goodbye is being said.
    ending: Option<(Instant, Outcome)>,
    /// When the person is asked again, if nothing happens before.
    quiet_due: Instant,
    reprompts: u32,
    turns: i64,
    began: Instant,
    control: Option<CallControl>,
}

/// Whether the person may still change our mind.
const fn is_revocable(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ended(EndReason::Agent | EndReason::Silence) | Outcome::HandedOver)
}

impl<'a> Call<'a> {
    fn new(
        context: &'a CallContext,
        live: &'a Arc<LiveCall>,
        stream: Box<dyn TextStream>,
        agent: Arc<dyn Agent>,
        journal: Journal,
        known: Known,
        began: Instant,
    ) -> Self {
        let history = known
            .said
            .into_iter()
            .map(|(is_person, text)| Utterance { role: if is_person { Role::Person } else { Role::Agent }, text });
        Self {
            context,
            live,
            stream,
            agent,
            journal,
            contact: known.contact,
            memories: known.memories,
            history: history.collect(),
            answer: None,
            digits: String::new(),
            digits_due: None,
            ending: None,
            quiet_due: Instant::now() + context.settings.policy.reprompt_after,
            reprompts: 0,
            turns: known.turns,
            began,
            control: None,
        }
    }

    /// Leads to the end, however often the person is put on hold meanwhile. Also what the provider is to be told.
    async fn lead_on(&mut self, orders: &mut mpsc::Receiver<CallOrder>) -> (Outcome, Option<CallControl>) {
        let (context, live) = (self.context, self.live);
        loop {
            let outcome = self.lead(orders).await.unwrap_or_else(|error| {
                if live.session.status().is_final() {
                    return Outcome::Caller;
                }
                tracing::warn!(error.code = error.code().as_str(), %error, "the words of a call were lost");
                Outcome::Lost
            });
            self.spoken(None);
            let control = self.control.take();
            if outcome != Outcome::Held {
                return (outcome, control);
            }
            if !held::begin(context, live, control).await {
                return (Outcome::Lost, None);
            }
            let until = self.began + context.settings.policy.max_duration;
            if let held::Next::Over(outcome, control) = held::wait(context, live, orders, until).await {
                return (outcome, control);
            }
            match or_hung_up(context.backend.stream_text(live.session.id()), live, orders).await {
                Some(Ok(stream)) => self.stream = stream,
                Some(Err(error)) => {
                    tracing::warn!(error.code = error.code().as_str(), %error, "the words of a call did not come back");
                    return (Outcome::Lost, None);
                }
                None => return (Outcome::Ended(EndReason::Operator), None),
            }
            (self.ending, self.digits_due, self.reprompts) = (None, None, 0);
        }
    }

    async fn lead(&mut self, orders: &mut mpsc::Receiver<CallOrder>) -> Result<Outcome, VoiceError> {
        let settings = &self.context.settings;
        let over = self.began + settings.policy.max_duration;
        if self.turns == 0 && !settings.relay_welcome.is_empty() {
            // The provider has begun to say it.
            self.says(settings.relay_welcome.clone(), "announcement");
        } else {
            let words = if self.turns == 0 { settings.greeting_for(&self.memories) } else { settings.back.clone() };
            self.say(words, "announcement").await?;
        }
        loop {
            let due = match self.ending {
                Some((at, _)) => at,
                None => over.min(self.quiet_due),
            };
            let due = self.digits_due.map_or(due, |at| at.min(due));
            let thought = async {
                match self.answer.as_mut().and_then(|answer| answer.thinking.as_mut()) {
                    Some(thinking) => thinking.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                event = self.stream.next() => match event {
                    None | Some(Ok(TextEvent::Stopped)) => return Ok(Outcome::Caller),
                    Some(Ok(event)) => self.heard(event),
                    Some(Err(error)) => return Err(error),
                },
                order = orders.recv() => match order {
                    Some(CallOrder::HangUp) | None => return Ok(Outcome::Ended(EndReason::Operator)),
                    Some(CallOrder::Say(text)) => self.say(text.into_inner(), "announcement").await?,
                    Some(CallOrder::Digits(digits)) => self.tell(TextCommand::Digits(digits)).await?,
                    Some(order @ (CallOrder::Transfer { .. } | CallOrder::Hold { .. })) => {
                        if let Some((outcome, control)) = control_of(settings, order) {
                            self.control = Some(control);
                            return Ok(outcome);
                        }
                    }
                    Some(CallOrder::Machine) => match settings.voicemail {
                        VoicemailPolicy::HangUp => return Ok(Outcome::Machine),
                        VoicemailPolicy::LeaveMessage => {
                            let message = settings.greeting_for(&self.memories);
                            self.goodbye(message, EndReason::Agent).await?;
                        }
                        VoicemailPolicy::Talk => {}
                    },
                    // Only who is on hold is taken back.
                    Some(CallOrder::Resumed) => {}
                    Some(CallOrder::Drain) => {
                        self.goodbye(settings.draining.clone(), EndReason::Draining).await?;
                    }
                },
                thought = thought => {
                    if let Some(outcome) = self.thought(thought).await? {
                        return Ok(outcome);
                    }
                }
                () = sleep_until(due) => {
                    if let Some(outcome) = self.tick(over).await? {
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    /// Does what is due.
    async fn tick(&mut self, over: Instant) -> Result<Option<Outcome>, VoiceError> {
        let (now, settings) = (Instant::now(), &self.context.settings);
        if self.digits_due.is_some_and(|at| at <= now) {
            self.commit_digits();
        }
        match self.ending {
            Some((at, outcome)) => return Ok((at <= now).then_some(outcome)),
            None if now >= over => self.goodbye(settings.goodbye.clone(), EndReason::MaxDuration).await?,
            None if now >= self.quiet_due && self.answer.as_ref().is_some_and(|answer| answer.thinking.is_some()) => {
                // The agent is at it.
                self.quiet_due = now + settings.policy.reprompt_after;
            }
            None if now >= self.quiet_due && self.reprompts < settings.policy.max_reprompts => {
                self.reprompts += 1;
                self.say(settings.reprompt.clone(), "reprompt").await?;
            }
            None if now >= self.quiet_due => self.goodbye(settings.goodbye.clone(), EndReason::Silence).await?,
            None => {}
        }
        Ok(None)
    }

    /// The person does something: they are there.
    fn is_there(&mut self) {
        self.reprompts = 0;
        self.quiet_due = Instant::now() + self.context.settings.policy.reprompt_after;
        self.ending.take_if(|(_, outcome)| is_revocable(*outcome));
    }

    fn heard(&mut self, event: TextEvent) {
        match event {
            TextEvent::Prompt { text, is_last: true, .. } => {
                self.is_there();
                self.ask(text);
            }
            TextEvent::Prompt { .. } => self.is_there(),
            TextEvent::Interrupted { heard, .. } => {
                self.is_there();
                self.spoken(Some(heard));
            }
            TextEvent::Digit(digit) => {
                self.is_there();
                if digit != '#' && self.digits.len() < MAX_DIGITS {
                    self.digits.push(digit);
                }
                if digit == '#' {
                    self.commit_digits();
                } else {
                    self.digits_due = Some(Instant::now() + self.context.settings.policy.digit_timeout);
                }
            }
            TextEvent::Failed(what) => tracing::warn!(what, "the provider could not do what it was told"),
            _ => {}
        }
    }

    fn commit_digits(&mut self) {
        self.digits_due = None;
        let digits = std::mem::take(&mut self.digits);
        if !digits.is_empty() {
            self.ask(Pii::new(digits));
        }
    }

    /// The person said something: an answer that is under way is over, and this is answered.
    fn ask(&mut self, text: Pii<String>) {
        if self.ending.is_some() {
            // The last words are being said, and nothing changes that.
            return;
        }
        let was_silent = self.answer.as_ref().is_some_and(|answer| answer.text.is_empty());
        let before = self.answer.as_ref().filter(|_| was_silent).map(|answer| answer.turn.person.clone());
        self.spoken(None);
        let input: Vec<_> = before.into_iter().chain([text]).collect();
        let said: Vec<_> = input.iter().map(|text| text.expose().as_str()).collect();
        let turn = self.turn("answer", said.join("\n"));
        let question = Turn {
            id: turn_id(self.live.session.id(), turn.number),
            attempt: 1,
            deadline: ANSWER_DEADLINE,
            traceparent: traceparent(),
            conversation: self.live.session.id().to_string(),
            contact: self.contact.clone(),
            channel: Channel::Voice,
            input,
            attachments: Vec::new(),
            recalled: Vec::new(),
            summary: None,
            history: self.history.iter().skip(self.history.len().saturating_sub(MAX_HISTORY)).cloned().collect(),
            memories: self.memories.clone(),
        };
        let thinking = Thinking::begin(
            &self.context.tasks,
            Arc::clone(&self.agent),
            (self.context.pipeline.recall.clone(), self.context.pipeline.summaries.clone()),
            question,
            Grain::Pieces,
            self.journal.settled(),
        );
        self.answer = Some(Answer::new(turn, Some(thinking)));
    }

    fn turn(&mut self, kind: &str, person: String) -> CallTurn {
        self.turns += 1;
        let turn = CallTurn {
            number: self.turns,
            kind: kind.to_owned(),
            at_ms: i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX),
            person: Pii::new(person),
            agent: Pii::new(String::new()),
            latency_ms: None,
            interrupted: false,
        };
        self.journal.began(&turn);
        self.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
        turn
    }

    async fn say(&mut self, text: String, kind: &str) -> Result<(), VoiceError> {
        self.says(text.clone(), kind);
        self.send(text, true).await
    }

    /// A text is being said, which is known already.
    fn says(&mut self, text: String, kind: &str) {
        self.spoken(None);
        let turn = self.turn(kind, String::new());
        let mut answer = Answer::new(turn, None);
        self.quiet_due = Instant::now() + speaking_time(&text) + self.context.settings.policy.reprompt_after;
        answer.text = text;
        self.answer = Some(answer);
        self.show();
    }

    /// Shows what is being said, as far as it is known.
    fn show(&self) {
        if let Some(answer) = &self.answer {
            let turn = CallTurn { agent: Pii::new(answer.text.clone()), ..answer.turn.clone() };
            self.live.show_turn(&turn);
            self.context.pipeline.live.calls_changed();
        }
    }

    async fn send(&mut self, token: String, is_last: bool) -> Result<(), VoiceError> {
        let token = Pii::new(token);
        let command = TextCommand::Text { token, is_last, language: None, interruptible: None };
        self.tell(command).await
    }

    /// Tells the provider something. One that does not read is lost.
    async fn tell(&mut self, command: TextCommand) -> Result<(), VoiceError> {
        let late = || VoiceError::new(Operation::StreamText, ErrorCode::StreamFailed, "the provider does not read");
        tokio::time::timeout(FLUSH_PATIENCE, self.stream.send(command)).await.map_err(|_| late())?
    }

    async fn goodbye(&mut self, text: String, reason: EndReason) -> Result<(), VoiceError> {
        let time = speaking_time(&text);
        self.say(text, "goodbye").await?;
        self.ending = Some((Instant::now() + time, Outcome::Ended(reason)));
        Ok(())
    }

    async fn thought(&mut self, thought: Thought) -> Result<Option<Outcome>, VoiceError> {
        let Some(answer) = &mut self.answer else { return Ok(None) };
        match answer.kept.take(thought) {
            Some(Thought::Piece(piece) | Thought::Sentence(piece)) => {
                answer.text.push_str(&piece);
                self.send(piece, false).await?;
            }
            Some(Thought::Done) => {
                answer.thinking = None;
                self.quiet_due =
                    Instant::now() + speaking_time(&answer.text) + self.context.settings.policy.reprompt_after;
                let hands_over = answer.kept.hands_over && self.context.settings.transfer_to.is_some();
                let outcome = if hands_over {
                    Some(Outcome::HandedOver)
                } else {
                    answer.kept.ends_call.then_some(Outcome::Ended(EndReason::Agent))
                };
                if let Some(outcome) = outcome {
                    // Nothing tells when it has been heard; the text's length does.
                    self.ending = Some((Instant::now() + speaking_time(&answer.text), outcome));
                }
                self.show();
                self.send(String::new(), true).await?;
            }
            Some(Thought::Failed(code)) => {
                answer.thinking = None;
                self.context.pipeline.metrics.call_reply_failed(code);
                let apology = self.context.settings.apology.clone();
                self.say(apology, "announcement").await?;
            }
            _ => {}
        }
        Ok(None)
    }

    /// Ends the answer that is under way. With `heard` the person spoke over it, and remembers only that much.
    fn spoken(&mut self, heard: Option<Pii<String>>) {
        let Some(answer) = self.answer.take() else { return };
        let mut turn = answer.turn;
        turn.interrupted = heard.is_some();
        turn.agent = heard.unwrap_or_else(|| Pii::new(answer.text));
        for (role, text) in [(Role::Person, &turn.person), (Role::Agent, &turn.agent)] {
            if !text.expose().is_empty() {
                self.history.push(Utterance { role, text: text.clone() });
            }
        }
        self.memories.extend(answer.kept.memories.clone());
        if let Some(agent) = answer.kept.next_agent.as_deref().and_then(|name| self.context.pipeline.agents.named(name))
        {
            self.agent = agent;
        }
        self.journal.spoke(&turn, answer.kept);
        self.live.show_turn(&turn);
        self.context.pipeline.live.calls_changed();
    }
}

impl Answer {
    fn new(turn: CallTurn, thinking: Option<Thinking>) -> Self {
        Self { turn, thinking, text: String::new(), kept: Kept::default() }
    }
}

fn speaking_time(text: &str) -> Duration {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    (PER_LETTER.saturating_mul(letters) + Duration::from_secs(1)).min(GOODBYE_TIME)
}
