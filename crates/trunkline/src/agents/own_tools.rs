//! Tools that need the gateway: looking in memory, and sending a text, also during a call.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use trunkline_agent::tools::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use trunkline_core::{Channel, ContactAddress, Pii, derived_name};
use trunkline_store::{ConversationRow, NewCommand, StoreError};

use crate::edge::from_messaging;
use crate::pipeline::{Context, limits, split, submit};

/// The longest question and text, in bytes.
const MAX_WORDS: usize = 4 << 10;
/// Who speaks where an agent sends a text.
const AUTHOR: &str = "agent";

/// What texts are sent from, where nobody has written yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    /// The account's name at the provider.
    pub(crate) account: String,
    /// Our number.
    pub(crate) number: Option<String>,
}

/// The tools of a gateway.
pub(crate) fn own_tools(context: &Context, own: Own) -> [Arc<dyn Tool>; 2] {
    [Arc::new(SearchMemory::new(context.clone())), Arc::new(SendText::new(context.clone(), own))]
}

/// `search_memory`: what was said with this person before, and what documents say.
struct SearchMemory {
    spec: ToolSpec,
    context: Context,
}

impl SearchMemory {
    fn new(context: Context) -> Self {
        Self { spec: search_spec(), context }
    }
}

#[async_trait]
impl Tool for SearchMemory {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn acts(&self) -> bool {
        false
    }

    async fn call(&self, arguments: Value, call: &ToolContext) -> Result<ToolOutput, ToolError> {
        let query = Pii::new(words(&arguments, "query")?);
        let found = self.context.recall.search(&call.contact, &[query]).await.map_err(|error| stored(&error))?;
        if found.is_empty() {
            return Ok(ToolOutput::text("nothing was found"));
        }
        let passages: Vec<_> = found
            .iter()
            .map(|passage| {
                let (source, text) = (passage.source.expose(), passage.text.expose());
                json!({"source": source, "title": passage.title.expose(), "text": text})
            })
            .collect();
        Ok(ToolOutput::text(Value::Array(passages).to_string()))
    }
}

/// `send_text`: a text to the person who calls.
struct SendText {
    spec: ToolSpec,
    context: Context,
    own: Own,
}

impl SendText {
    fn new(context: Context, own: Own) -> Self {
        Self { spec: send_spec(), context, own }
    }
}

#[async_trait]
impl Tool for SendText {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    /// Where people write, an answer is a text already.
    fn is_offered_on(&self, channel: Channel) -> bool {
        channel == Channel::Voice
    }

    async fn call(&self, arguments: Value, call: &ToolContext) -> Result<ToolOutput, ToolError> {
        let text = words(&arguments, "text")?;
        let row = with_caller(&self.context, &self.own, &call.conversation).await?;
        let mut parts = split(&text, limits(&self.context, &row));
        if parts.is_empty() {
            return Err(failed("the text is blank"));
        }
        let command = NewCommand {
            outbox_id: outbox_id(&call.key),
            connector: row.connector,
            conversation: row.external_id,
            in_reply_to: Vec::new(),
            body: Pii::new(parts.remove(0)),
            more: parts.into_iter().map(Pii::new).collect(),
            content: None,
            media: None,
            author: AUTHOR.to_owned(),
            traceparent: call.traceparent.clone(),
        };
        submit(&self.context, &command).await.map_err(|error| {
            tracing::warn!(%error, "a text that an agent wants to send is refused");
            failed("the text cannot be sent to this person")
        })?;
        Ok(ToolOutput::text("it is on its way"))
    }
}

/// The latest conversation with the number of a call; where there is none, a new one. Not with another number of
/// the same person: a code is for the telephone at which they are.
pub(crate) async fn with_caller(context: &Context, own: &Own, call: &str) -> Result<ConversationRow, ToolError> {
    let store = &context.store;
    let call = store.call(call).await.map_err(|error| stored(&error))?;
    let number = call.and_then(|call| ContactAddress::parse(call.address.expose()).ok());
    let number = number.filter(|number| number.channel() == Channel::Sms);
    let number = number.ok_or_else(|| failed("the caller's number cannot be written to"))?;
    let known = store.open_conversation_with(&number.to_wire(), None).await.map_err(|error| stored(&error))?;
    if let Some(row) = known {
        return Ok(row);
    }
    let number_of_ours = own.number.as_deref().ok_or_else(|| failed("there is no number of ours to send from"))?;
    let name = from_messaging::conversation(&own.account, number_of_ours, &number.to_wire());
    let begun = store.begin_conversation(from_messaging::SOURCE, &name, &number, number_of_ours).await;
    begun.map_err(|error| stored(&error))
}

/// What a model is told of `search_memory`.
pub(super) fn search_spec() -> ToolSpec {
    let description = "Search what this person said in earlier calls and conversations, and the documents that you may \
                       answer from. Say where you found it.";
    spec("search_memory", description, "query")
}

/// What a model is told of `send_text`.
pub(super) fn send_spec() -> ToolSpec {
    let description =
        "Send the caller a text message, such as an address, a link or a code. Say that you have sent it.";
    spec("send_text", description, "text")
}

fn spec(name: &str, description: &str, field: &str) -> ToolSpec {
    let parameters = json!({
        "type": "object",
        "properties": { field: {"type": "string"} },
        "required": [field],
        "additionalProperties": false,
    });
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters }
}

/// What stands in a field, trimmed.
pub(crate) fn words(arguments: &Value, field: &str) -> Result<String, ToolError> {
    let words = arguments.get(field).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if words.is_empty() || words.len() > MAX_WORDS {
        return Err(ToolError::BadArguments(format!("{field}: must be a text of 1 to {MAX_WORDS} bytes")));
    }
    Ok(words.to_owned())
}

/// The tool says why it cannot.
pub(crate) fn failed(why: &str) -> ToolError {
    ToolError::Failed(why.to_owned())
}

/// The store does not answer a tool.
pub(crate) fn stored(error: &StoreError) -> ToolError {
    tracing::warn!(error.code = error.code(), "a tool cannot use the store");
    ToolError::Unreachable
}

/// The same for the same call of the tool.
pub(crate) fn outbox_id(key: &str) -> String {
    format!("tool-{}", derived_name(key))
}
