//! What is done to conversations and remembered of people. All of it may be done twice.

use std::collections::BTreeMap;

use serde_json::json;
use trunkline_agent::workflow::Template;
use trunkline_core::messaging::{Binding, ConversationId, ErrorCode, NewParticipant, ParticipantId};
use trunkline_core::{ContactAddress, Pii};
use trunkline_store::Care;

use super::{Effect, StepDone, StepError};
use crate::pipeline::close_conversation;
use crate::workflows::codes;

pub(super) async fn close(effect: &Effect, conversation: &Template) -> Result<StepDone, StepError> {
    let context = &effect.engine.0.context;
    let row = effect.conversation(conversation).await?;
    let Some(connector) = context.connectors.named(&row.connector) else {
        return Err(StepError::new(codes::NOT_CONFIGURED, "the connector of the conversation is switched off"));
    };
    if row.state != "closed" {
        connector
            .close(&row.external_id)
            .await
            .map_err(|error| StepError::new(error.code, error.message).advised(error.retry))?;
        close_conversation(context, &row)
            .await
            .map_err(|code| StepError::new(code, "the end of the conversation cannot be published").retryable())?;
    }
    Ok(StepDone::new(json!({ "conversation": row.id })))
}

pub(super) async fn hand_over(effect: &Effect, conversation: &Template) -> Result<StepDone, StepError> {
    let context = &effect.engine.0.context;
    let row = effect.conversation(conversation).await?;
    context.store.set_care(&row.id, &Care::HandOver).await?;
    context.live.changed(&row.id);
    Ok(StepDone::new(json!({ "conversation": row.id })))
}

pub(super) async fn remember(
    effect: &Effect,
    conversation: Option<&Template>,
    person: Option<&Template>,
    values: &BTreeMap<String, Template>,
) -> Result<StepDone, StepError> {
    let store = &effect.engine.0.context.store;
    let filled = values.iter().map(|(name, value)| Ok((name.clone(), effect.text(value)?)));
    let values = filled.collect::<Result<BTreeMap<_, _>, StepError>>()?;
    if let Some(conversation) = conversation {
        let row = effect.conversation(conversation).await?;
        store.remember(&row.id, &values).await?;
        return Ok(StepDone::new(json!({ "conversation": row.id, "contact": row.contact_id })));
    }
    let person = effect.optional(person)?.unwrap_or_default();
    let address =
        ContactAddress::parse(&person).map_err(|error| StepError::new(codes::BAD_VALUE, error.to_string()))?;
    let contact = store.remember_of(&address, &values).await?;
    Ok(StepDone::new(json!({ "conversation": "", "contact": contact })))
}

/// The provider's name of a conversation: also of one in which nobody has written yet.
async fn at_provider(effect: &Effect, conversation: &Template) -> Result<ConversationId, StepError> {
    let name = effect.text(conversation)?;
    let known = if name.starts_with("CH") { None } else { Some(effect.conversation(conversation).await?.external_id) };
    Ok(ConversationId::new(known.unwrap_or(name)))
}

pub(super) async fn add(
    effect: &Effect,
    conversation: &Template,
    (identity, address, own): (Option<&Template>, Option<&Template>, Option<&Template>),
) -> Result<StepDone, StepError> {
    let provider = &effect.engine.0.provider;
    let Some(backend) = &provider.backend else {
        return Err(StepError::new(codes::NOT_CONFIGURED, "the provider of conversations is switched off"));
    };
    let id = at_provider(effect, conversation).await?;
    let own = effect.optional(own)?.or_else(|| provider.number.clone());
    let binding = match effect.optional(address)? {
        None => None,
        Some(address) => {
            let parsed = ContactAddress::parse(&address);
            let parsed = parsed.map_err(|error| StepError::new(codes::BAD_VALUE, error.to_string()))?;
            Some(Binding { channel: parsed.channel(), address: Pii::new(address), proxy_address: own })
        }
    };
    let participant = NewParticipant { identity: effect.optional(identity)?, binding, ..NewParticipant::default() };
    let added = backend.add_participant(&id, participant).await?;
    Ok(StepDone::new(json!({ "participant": added.id.as_str() })))
}

pub(super) async fn remove(
    effect: &Effect,
    conversation: &Template,
    participant: &Template,
) -> Result<StepDone, StepError> {
    let Some(backend) = &effect.engine.0.provider.backend else {
        return Err(StepError::new(codes::NOT_CONFIGURED, "the provider of conversations is switched off"));
    };
    let id = at_provider(effect, conversation).await?;
    let participant = ParticipantId::new(effect.text(participant)?);
    match backend.remove_participant(&id, &participant).await {
        Ok(()) => {}
        // An earlier try has removed them.
        Err(error) if error.code() == ErrorCode::ParticipantNotFound && !effect.is_first => {}
        Err(error) => return Err(error.into()),
    }
    Ok(StepDone::new(json!({ "conversation": id.as_str() })))
}
