//! Several models in order: the first one that begins to answer is the one that answers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};
use trunkline_core::{ConfigError, Retry};

use crate::AgentError;
use crate::models::{LanguageModel, ModelConfig, ModelEvent, ModelStream, Prompt};

/// How long a model that has failed is asked last.
const REST: Duration = Duration::from_secs(15);

/// Models, best first.
pub(super) struct Models(Vec<Member>);

struct Member {
    model: Box<dyn LanguageModel>,
    /// Until when it is asked last.
    resting: Mutex<Option<Instant>>,
}

impl Member {
    fn rests(&self, now: Instant) -> bool {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
    }

    fn note(&self, until: Option<Instant>) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// A model that has begun to answer.
pub(super) struct Begun {
    pub(super) model: String,
    pub(super) first: ModelEvent,
    pub(super) rest: ModelStream,
    /// From the question to the first event.
    pub(super) after: Duration,
}

impl Models {
    pub(super) fn new(configs: &[ModelConfig]) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let mut models = Vec::with_capacity(configs.len());
        for config in configs {
            match config.build() {
                Ok(model) => models.push(Member { model, resting: Mutex::default() }),
                Err(error) => problems.extend(error),
            }
        }
        if configs.is_empty() {
            problems.add("agent.model", "is missing; name the model to ask");
        }
        problems.or(Self(models))
    }

    /// Asks one after the other until one begins, each for at most `patience`, all of them until `by`.
    pub(super) async fn ask(&self, prompt: &Prompt, patience: Duration, by: Instant) -> Result<Begun, AgentError> {
        let now = Instant::now();
        let mut members: Vec<&Member> = self.0.iter().collect();
        members.sort_by_key(|member| member.rests(now));
        let mut trouble: Option<AgentError> = None;
        let mut left = members.len();
        for member in members {
            left -= 1;
            let begun = Instant::now();
            let outcome = timeout_at((begun + patience).min(by), first(member, prompt)).await;
            match outcome.unwrap_or(Err(AgentError::Timeout(patience))) {
                Ok((first, rest)) => {
                    member.note(None);
                    let model = member.model.model().to_owned();
                    return Ok(Begun { model, first, rest, after: begun.elapsed() });
                }
                // What one withholds, another may not be asked for.
                Err(AgentError::Filtered) => return Err(AgentError::Filtered),
                Err(error) => {
                    member.note(Some(Instant::now() + REST));
                    if left > 0 {
                        let model = member.model.model();
                        tracing::warn!(
                            error.code = error.code(),
                            gen_ai.request.model = model,
                            "the next model is asked"
                        );
                    }
                    // Whether it is worth another try, the one that may get better says.
                    if trouble.as_ref().is_none_or(|known| known.retry() == Retry::No) {
                        trouble = Some(error);
                    }
                }
            }
            if Instant::now() >= by {
                break;
            }
        }
        Err(trouble.unwrap_or(AgentError::Timeout(patience)))
    }
}

impl Models {
    /// A model has begun and broken off: it is asked last for a while.
    pub(super) fn has_failed(&self, model: &str) {
        for member in self.0.iter().filter(|member| member.model.model() == model) {
            member.note(Some(Instant::now() + REST));
        }
    }
}

/// The first thing that a model says.
async fn first(member: &Member, prompt: &Prompt) -> Result<(ModelEvent, ModelStream), AgentError> {
    let mut stream = member.model.ask(prompt).await?;
    let first = stream.next().await.ok_or(AgentError::Incomplete)??;
    Ok((first, stream))
}
