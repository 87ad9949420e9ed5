//! A turn of an agent. What it says is the step's output; sending it is another step.

use std::collections::BTreeMap;

use serde_json::json;
use trunkline_agent::workflow::Template;
use trunkline_agent::{Role, Turn, Utterance, collect};
use trunkline_core::{Channel, Pii};
use trunkline_store::Direction;

use super::{Effect, StepDone, StepError};
use crate::agents::DEFAULT;
use crate::recall::Way;
use crate::telemetry::traceparent;
use crate::workflows::codes;

/// What an agent sees of the conversation so far.
const MAX_HISTORY: u32 = 60;
/// The longest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 32 << 10;

pub(super) async fn answer(
    effect: &Effect,
    named: Option<&str>,
    input: &Template,
    conversation: Option<&Template>,
) -> Result<StepDone, StepError> {
    let context = &effect.engine.0.context;
    let agent = context
        .agents
        .named(named.unwrap_or(DEFAULT))
        .ok_or_else(|| StepError::new(codes::NOT_CONFIGURED, "there is no agent of that name"))?;
    let mut turn = Turn {
        id: effect.name.clone(),
        attempt: effect.attempt,
        deadline: effect.timeout,
        traceparent: traceparent(),
        conversation: effect.name.clone(),
        contact: effect.name.clone(),
        channel: Channel::Chat,
        input: vec![Pii::new(effect.text(input)?)],
        attachments: Vec::new(),
        history: Vec::new(),
        memories: BTreeMap::new(),
        recalled: Vec::new(),
        summary: None,
    };
    if let Some(conversation) = conversation {
        let row = effect.conversation(conversation).await?;
        let thread = context.store.messages(&row.id, MAX_HISTORY, None).await?;
        let said = thread.into_iter().filter(|message| message.status != "failed" && message.removed_at.is_none());
        turn.history = said
            .map(|message| Utterance {
                role: if message.direction == Direction::In { Role::Person } else { Role::Agent },
                text: message.body,
            })
            .collect();
        turn.memories = context.store.memories_of_contact(&row.contact_id, Some(&row.id)).await?;
        turn.summary = context.summaries.given(Way::Text, &row.contact_id, &row.id).await;
        turn.channel = row.channel.parse().unwrap_or(Channel::Chat);
        (turn.conversation, turn.contact) = (row.id, row.contact_id);
    }
    let failed =
        |error: trunkline_agent::AgentError| StepError::new(error.code(), error.to_string()).advised(error.retry());
    let stream = agent.respond(turn).await.map_err(failed)?;
    let reply = collect(stream, MAX_ANSWER_BYTES).await.map_err(failed)?;
    Ok(StepDone::new(json!({
        "text": reply.text.expose(),
        "memories": reply.memories,
        "hand_over": reply.hand_over,
    })))
}
