//! What the contract refuses before anything happens.

use trunkline_core::messaging::{
    ConversationConfig, ErrorCode, MediaSource, MessagingError, NewParticipant, Operation, OutgoingMessage,
};

const MAX_NAME: usize = 256;

pub(super) fn conversation(config: &ConversationConfig) -> Result<(), MessagingError> {
    let refused = |why| Err(MessagingError::new(Operation::CreateConversation, ErrorCode::InvalidConfig, why));
    if !is_object(config.attributes.as_deref()) {
        return refused("attributes must be a JSON object");
    }
    let is_long = |name: &Option<String>| name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME);
    if is_long(&config.friendly_name) || is_long(&config.unique_name) {
        return refused("a name has 256 characters at most");
    }
    Ok(())
}

pub(super) fn message(message: &OutgoingMessage) -> Result<(), MessagingError> {
    let refused = |why| Err(MessagingError::new(Operation::SendMessage, ErrorCode::InvalidMessage, why));
    if message.body.expose().is_empty() && message.media.is_empty() && message.content_sid.is_none() {
        return refused("a message needs a text, a file or a template");
    }
    if !is_object(message.attributes.as_deref()) {
        return refused("attributes must be a JSON object");
    }
    if message.media.iter().any(|file| matches!(file, MediaSource::Url(_))) {
        return refused("media by URL is not fetched; give its bytes");
    }
    Ok(())
}

pub(super) fn participant(new: &NewParticipant) -> Result<(), MessagingError> {
    let refused = |why| Err(MessagingError::new(Operation::AddParticipant, ErrorCode::InvalidParticipant, why));
    let identity = new.identity.as_deref().filter(|identity| !identity.is_empty());
    match (identity, &new.binding) {
        (Some(_), Some(_)) => refused("give an identity or an address, not both"),
        (None, None) => refused("an identity or an address is needed"),
        (None, Some(binding)) if binding.address.expose().is_empty() => refused("the address is empty"),
        _ if !is_object(new.attributes.as_deref()) => refused("attributes must be a JSON object"),
        _ => Ok(()),
    }
}

fn is_object(attributes: Option<&str>) -> bool {
    attributes.is_none_or(|text| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok())
}
