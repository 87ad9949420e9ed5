//! One answer of a chat model: it is heard, given what it asks its tools for, and heard again until it is done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, timeout, timeout_at};
use trunkline_core::Pii;

use super::answer::Answer;
use super::models::{Begun, Models};
use super::prompt::{self, result};
use crate::models::{Finish, Message, ModelEvent, ModelStream, Prompt, Usage};
use crate::tools::{Effect, MadeCall, ToolCall, ToolContext, ToolUse, Toolbox};
use crate::{AgentError, AgentEvent, ModelUsage};

/// How long a server may take after the last word to say what it has cost.
const USAGE_PATIENCE: Duration = Duration::from_millis(300);

/// How long things may take.
pub(super) struct Patience {
    /// The first word of each model.
    pub(super) first: Duration,
    /// All of the answer.
    pub(super) all: Duration,
    /// When that is over.
    pub(super) by: Instant,
}

/// An answer that is being made.
pub(super) struct Talk {
    pub(super) models: Arc<Models>,
    pub(super) tools: Toolbox,
    /// For whom tools are called.
    pub(super) context: ToolContext,
    used: ToolUse,
    pub(super) prompt: Prompt,
    pub(super) patience: Patience,
    hearing: Option<Hearing>,
    to_tell: VecDeque<AgentEvent>,
    answer: Answer,
    rounds: usize,
    has_acted: bool,
    is_over: bool,
}

/// A model that is being listened to.
struct Hearing {
    model: String,
    first_token: Duration,
    heard: Option<ModelEvent>,
    rest: ModelStream,
    words: String,
    calls: Vec<ToolCall>,
}

impl Talk {
    pub(super) fn new(
        models: Arc<Models>,
        tools: Toolbox,
        context: ToolContext,
        prompt: Prompt,
        patience: Patience,
    ) -> Self {
        Self {
            models,
            tools,
            context,
            used: ToolUse::default(),
            prompt,
            patience,
            hearing: None,
            to_tell: VecDeque::new(),
            answer: Answer::default(),
            rounds: 0,
            has_acted: false,
            is_over: false,
        }
    }

    /// Goes on after calls of which no answer has taken account: the model is told of them, and this one does. What they
    /// are to change counts with it; of another turn only what is to be kept, as the rest may not fit any more.
    pub(super) fn after(mut self, made: Vec<MadeCall>) -> Self {
        self.used = ToolUse::after(&self.context.turn, &made);
        let (done, told) = prompt::done(&made);
        self.prompt.instructions.push_str(&done.unwrap_or_default());
        for one in made.into_iter().filter(|one| told.contains(&one.key)) {
            let is_ours = one.turn == self.context.turn;
            let still_fits = |effect: &Effect| is_ours || matches!(effect, Effect::Remember { .. });
            self.to_tell.extend(one.effects.into_iter().filter(still_fits).map(event));
            self.to_tell.push_back(AgentEvent::Accounted(one.key));
        }
        self
    }

    /// The answer as events; ends after the first error.
    pub(super) fn events(self) -> impl Stream<Item = Result<AgentEvent, AgentError>> + Send {
        stream::unfold(Some(self), |talk| async move {
            let mut talk = talk?;
            match talk.next().await {
                Ok(event) => event.map(|event| (Ok(event), Some(talk))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// Has a model begin, so that whoever asked learns at once when none does.
    pub(super) async fn begin(&mut self) -> Result<(), AgentError> {
        let Begun { model, first, rest, after } =
            self.models.ask(&self.prompt, self.patience.first, self.patience.by).await?;
        self.hearing = Some(Hearing {
            model,
            first_token: after,
            heard: Some(first),
            rest,
            words: String::new(),
            calls: Vec::new(),
        });
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<AgentEvent>, AgentError> {
        loop {
            if let Some(event) = self.to_tell.pop_front() {
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            match self.hearing.take() {
                None => self.begin().await?,
                Some(hearing) => {
                    let model = hearing.model.clone();
                    let heard = self.hear(hearing).await;
                    if heard.as_ref().is_err_and(|error| !matches!(error, AgentError::Filtered)) {
                        self.models.has_failed(&model);
                    }
                    heard?;
                }
            }
        }
    }

    async fn hear(&mut self, mut hearing: Hearing) -> Result<(), AgentError> {
        let over = || AgentError::Timeout(self.patience.all);
        let event = if let Some(first) = hearing.heard.take() {
            first
        } else {
            let event = timeout_at(self.patience.by, hearing.rest.next()).await.map_err(|_| over())?;
            event.ok_or(AgentError::Incomplete)??
        };
        match event {
            ModelEvent::Text(text) => {
                hearing.words.push_str(&text);
                let sentences = self.answer.hear(&text)?;
                self.say(sentences);
                self.hearing = Some(hearing);
            }
            ModelEvent::Call(call) => {
                hearing.calls.push(call);
                self.hearing = Some(hearing);
            }
            ModelEvent::Usage(usage) => {
                self.tell_usage(&hearing, usage);
                self.hearing = Some(hearing);
            }
            ModelEvent::Finished(Finish::Tools) if self.prompt.may_call && !self.tools.is_empty() => {
                let said = self.answer.pause();
                self.say(said);
                self.drain(&mut hearing).await;
                self.act(hearing).await;
            }
            ModelEvent::Finished(reason) => {
                let rest = self.answer.finish(reason, self.has_acted)?;
                self.say(rest);
                self.drain(&mut hearing).await;
                self.is_over = true;
            }
        }
        Ok(())
    }

    fn say(&mut self, text: Option<String>) {
        self.to_tell.extend(text.map(|text| AgentEvent::Text(Pii::new(text))));
    }

    fn tell_usage(&mut self, hearing: &Hearing, usage: Usage) {
        self.to_tell.push_back(AgentEvent::Usage(ModelUsage {
            model: hearing.model.clone(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            first_token: hearing.first_token,
        }));
    }

    /// What comes behind the last word: what it has cost, if the server says so.
    async fn drain(&mut self, hearing: &mut Hearing) {
        let usage = async {
            while let Some(Ok(event)) = hearing.rest.next().await {
                if let ModelEvent::Usage(usage) = event {
                    return Some(usage);
                }
            }
            None
        };
        if let Ok(Some(usage)) = timeout(USAGE_PATIENCE, usage).await {
            self.tell_usage(hearing, usage);
        }
    }

    /// Does what the model asks for, and has it go on with what came of it.
    async fn act(&mut self, hearing: Hearing) {
        let Hearing { words, calls, .. } = hearing;
        let left = self.patience.by.saturating_duration_since(Instant::now());
        let context = ToolContext { deadline: left, ..self.context.clone() };
        let outcomes = self.tools.run(&calls, &context, &mut self.used).await;
        let ids: Vec<_> = calls.iter().map(|call| call.id.clone()).collect();
        self.prompt.messages.push(Message::Model { text: Pii::new(words), calls });
        for (id, (report, effects)) in ids.into_iter().zip(outcomes) {
            let (content, has_failed) = (result(&report.result), report.error_code.is_some());
            self.prompt.messages.push(Message::Result { id, content, has_failed });
            self.has_acted |= !effects.is_empty();
            self.to_tell.push_back(AgentEvent::Tool(report));
            self.to_tell.extend(effects.into_iter().map(event));
        }
        self.rounds += 1;
        self.prompt.may_call = self.rounds < self.tools.limits().rounds;
    }
}

/// What a tool changes, as an event of the agent.
fn event(effect: Effect) -> AgentEvent {
    match effect {
        Effect::Remember { name, value } => AgentEvent::Remember { name, value },
        Effect::HandOver => AgentEvent::HandOver,
        Effect::HandOverTo(agent) => AgentEvent::HandOverTo(agent),
        Effect::EndCall => AgentEvent::EndCall,
    }
}
