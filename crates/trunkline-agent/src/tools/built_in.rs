//! Tools that every agent may have: they change the course of the conversation and reach nothing outside.

use async_trait::async_trait;
use serde_json::{Value, json};
use trunkline_core::{Channel, Pii};

use super::{Effect, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

/// The longest name and value that can be remembered, in bytes.
const MAX_REMEMBERED_BYTES: usize = 2 << 10;

/// `remember`: keeps something of the person for later, on every channel.
pub struct Remember(ToolSpec);

impl Default for Remember {
    fn default() -> Self {
        let description = "Keep something about the person for later conversations: their name, a preference, a fact. \
                           Use a short name such as `name` or `order_number`.";
        let text = json!({"type": "string"});
        Self(spec("remember", description, &json!({"name": text, "value": text}), &["name", "value"]))
    }
}

#[async_trait]
impl Tool for Remember {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn acts(&self) -> bool {
        false
    }

    async fn call(&self, arguments: Value, _: &ToolContext) -> Result<ToolOutput, ToolError> {
        let (name, value) = (word(&arguments, "name")?, word(&arguments, "value")?);
        // What begins with a dot is ours.
        if name.starts_with('.') {
            return Err(ToolError::BadArguments("name: must not begin with a dot".to_owned()));
        }
        Ok(ToolOutput::text("kept").with(Effect::Remember { name, value: Pii::new(value) }))
    }
}

/// `hand_over`: a person of ours takes the conversation over.
pub struct HandOver(ToolSpec);

impl Default for HandOver {
    fn default() -> Self {
        let description = "A human colleague takes the conversation over. Use it when the person asks for one, or when \
                           you cannot help. Tell the person that you do so.";
        Self(spec("hand_over", description, &json!({}), &[]))
    }
}

#[async_trait]
impl Tool for HandOver {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn acts(&self) -> bool {
        false
    }

    async fn call(&self, _: Value, _: &ToolContext) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("a colleague has been told").with(Effect::HandOver))
    }
}

/// `hand_over_to`: another agent answers from the next turn on.
pub struct HandOverTo {
    spec: ToolSpec,
    agents: Vec<String>,
}

impl HandOverTo {
    /// One that knows `agents`.
    #[must_use]
    pub fn new(agents: Vec<String>) -> Self {
        let description = "Another agent goes on with the conversation from the person's next words on.";
        let agent = json!({"type": "string", "enum": agents});
        Self { spec: spec("hand_over_to", description, &json!({"agent": agent}), &["agent"]), agents }
    }
}

#[async_trait]
impl Tool for HandOverTo {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn acts(&self) -> bool {
        false
    }

    async fn call(&self, arguments: Value, _: &ToolContext) -> Result<ToolOutput, ToolError> {
        let agent = word(&arguments, "agent")?;
        if !self.agents.contains(&agent) {
            return Err(ToolError::BadArguments(format!("agent: must be one of {}", self.agents.join(", "))));
        }
        Ok(ToolOutput::text("it goes on from here").with(Effect::HandOverTo(agent)))
    }
}

/// `end_call`: hangs up when the answer has been heard.
pub struct EndCall(ToolSpec);

impl Default for EndCall {
    fn default() -> Self {
        let description = "Hang up when what you say now has been heard. Say goodbye first.";
        Self(spec("end_call", description, &json!({}), &[]))
    }
}

#[async_trait]
impl Tool for EndCall {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn acts(&self) -> bool {
        false
    }

    fn is_offered_on(&self, channel: Channel) -> bool {
        channel == Channel::Voice
    }

    async fn call(&self, _: Value, _: &ToolContext) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("the call ends after your words").with(Effect::EndCall))
    }
}

fn spec(name: &str, description: &str, properties: &Value, required: &[&str]) -> ToolSpec {
    let parameters =
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters }
}

fn word(arguments: &Value, name: &str) -> Result<String, ToolError> {
    let word = arguments.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if word.is_empty() || word.len() > MAX_REMEMBERED_BYTES {
        return Err(ToolError::BadArguments(format!("{name}: must be a text of 1 to {MAX_REMEMBERED_BYTES} bytes")));
    }
    Ok(word.to_owned())
}
