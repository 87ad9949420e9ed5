//! Sending a text: a row of the outbox under the name of the step, so that it is sent once.

use std::collections::BTreeMap;

use serde_json::json;
use trunkline_agent::workflow::Kind;
use trunkline_core::{Channel, ContactAddress, Pii, derived_name};
use trunkline_store::{Content, ConversationRow, NewCommand};

use super::{Effect, StepDone, StepError};
use crate::config::is_content_sid;
use crate::edge::from_messaging;
use crate::pipeline::{Limits, limits, split, submit};
use crate::telemetry::traceparent;
use crate::workflows::codes;

/// Who speaks.
const AUTHOR: &str = "workflow";

pub(super) async fn send(effect: &Effect, kind: &Kind) -> Result<StepDone, StepError> {
    let Kind::SendText { to, conversation, from, text, content_sid, variables } = kind else {
        return Err(StepError::new(codes::NO_DEFINITION, "it is no text"));
    };
    let row = match (conversation, to) {
        (Some(conversation), _) => effect.conversation(conversation).await?,
        (None, Some(to)) => {
            let (to, from) = (effect.text(to)?, effect.optional(from.as_ref())?);
            with_person(effect, &to, from.as_deref()).await?
        }
        (None, None) => return Err(StepError::new(codes::BAD_VALUE, "it goes to nobody")),
    };
    if row.state == "closed" {
        return Err(StepError::new(codes::NO_CONVERSATION, "the conversation is closed"));
    }
    let content = match effect.optional(content_sid.as_ref())? {
        None => None,
        Some(sid) if is_content_sid(&sid) => {
            let filled = variables.iter().map(|(name, value)| Ok((name.clone(), effect.text(value)?)));
            let variables = filled.collect::<Result<BTreeMap<_, _>, StepError>>()?;
            Some(Content { sid, variables: Pii::new(variables) })
        }
        Some(_) => return Err(StepError::new(codes::BAD_VALUE, "content_sid must be HX and 32 hexadecimal digits")),
    };
    let text = effect.text(text)?;
    let context = &effect.engine.0.context;
    let mut parts = if content.is_some() {
        Vec::new()
    } else {
        let limits = limits(context, &row);
        // Nothing that somebody wrote on purpose is left out.
        let parts = split(&text, Limits { parts: limits.parts.saturating_add(1), ..limits });
        if parts.len() > limits.parts {
            return Err(StepError::new(codes::TEXT_TOO_LONG, "the text needs more messages than an answer may have"));
        }
        parts
    };
    let first = if parts.is_empty() { text } else { parts.remove(0) };
    let command = NewCommand {
        outbox_id: outbox_id(&effect.name),
        connector: row.connector.clone(),
        conversation: row.external_id.clone(),
        in_reply_to: Vec::new(),
        body: Pii::new(first),
        more: parts.into_iter().map(Pii::new).collect(),
        content,
        media: None,
        author: AUTHOR.to_owned(),
        traceparent: traceparent(),
    };
    if !command.says_something() {
        return Err(StepError::new(codes::BAD_VALUE, "the text is empty"));
    }
    submit(context, &command).await?;
    Ok(StepDone::new(json!({ "outbox_id": command.outbox_id, "conversation": row.id })))
}

fn outbox_id(name: &str) -> String {
    format!("workflow-{}", derived_name(name))
}

/// The latest conversation with an address; where there is none, a new one by the number without Conversations.
async fn with_person(effect: &Effect, to: &str, from: Option<&str>) -> Result<ConversationRow, StepError> {
    let (store, provider) = (&effect.engine.0.context.store, &effect.engine.0.provider);
    let to = ContactAddress::parse(to).map_err(|error| StepError::new(codes::BAD_VALUE, error.to_string()))?;
    if let Some(row) = store.open_conversation_with(&to.to_wire(), from).await? {
        return Ok(row);
    }
    if !matches!(to.channel(), Channel::Sms | Channel::Whatsapp) {
        return Err(StepError::new(codes::NO_CONVERSATION, "there is no conversation with that address"));
    }
    let own = from.or(provider.number.as_deref()).filter(|own| !own.is_empty());
    let own = own.ok_or_else(|| StepError::new(codes::NOT_CONFIGURED, "there is no number of ours to send from"))?;
    let own = match to.channel() {
        Channel::Whatsapp if !own.starts_with("whatsapp:") && !own.starts_with("MG") => format!("whatsapp:{own}"),
        _ => own.to_owned(),
    };
    let name = from_messaging::conversation(&provider.account, &own, &to.to_wire());
    Ok(store.begin_conversation(from_messaging::SOURCE, &name, &to, &own).await?)
}
