//! A call of a tool. What it gives is the step's output; what it would change of a turn means nothing here, but for what it
//! remembers.

use serde_json::{Value, json};
use trunkline_agent::tools::{Effect as ToolEffect, ToolCall, ToolContext, ToolError};
use trunkline_agent::workflow::{Structure, Template};
use trunkline_core::{Channel, Pii};

use super::{Effect, StepDone, StepError};
use crate::telemetry::traceparent;
use crate::workflows::codes;

pub(super) async fn call(
    effect: &Effect,
    tool: &str,
    arguments: &Structure,
    conversation: Option<&Template>,
) -> Result<StepDone, StepError> {
    let tools = effect.engine.0.context.agents.tools();
    if tools.named(tool).is_none() {
        return Err(StepError::new(codes::NOT_CONFIGURED, "this gateway has no such tool"));
    }
    let mut context = ToolContext {
        turn: effect.name.clone(),
        number: 0,
        key: format!("{}.0", effect.name),
        conversation: effect.name.clone(),
        contact: effect.name.clone(),
        channel: Channel::Chat,
        deadline: effect.timeout,
        traceparent: traceparent(),
    };
    if let Some(conversation) = conversation {
        let row = effect.conversation(conversation).await?;
        context.channel = row.channel.parse().unwrap_or(Channel::Chat);
        (context.conversation, context.contact) = (row.id, row.contact_id);
    }
    let arguments = Pii::new(arguments.value(&effect.scope)?.to_string());
    let call = ToolCall { id: effect.name.clone(), name: tool.to_owned(), arguments };
    let (report, effects) = tools.one(&call, &context).await;
    if let Some(code) = report.error_code {
        // What the tool was given was wrong, and will be: the others may pass.
        let error = StepError::new(code, "the tool gave nothing");
        let is_final = code == ToolError::BadArguments(String::new()).code();
        return Err(if is_final { error } else { error.retryable() });
    }
    let remembered = effects.into_iter().filter_map(|effect| match effect {
        ToolEffect::Remember { name, value } => Some((name, Value::String(value.into_inner()))),
        _ => None,
    });
    let remembered: serde_json::Map<_, _> = remembered.collect();
    let text = report.result.into_inner();
    let result = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(StepDone::new(json!({ "result": result, "memories": remembered })))
}
