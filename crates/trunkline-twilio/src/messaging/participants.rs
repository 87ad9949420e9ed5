//! Adding and removing participants, with "is there already" taken for the success it is.

use trunkline_core::Channel;
use trunkline_core::messaging::{ErrorCode, MessagingError, NewParticipant, Operation, Participant};
use trunkline_proto::rest;

use super::convert;
use super::failure::failed;
use crate::codes;
use crate::rest::{NewParticipant as NewRestParticipant, RestClient, RestError};

/// Twilio's limit is 1000 participants a conversation.
const MAX_PARTICIPANTS: usize = 1_000;

/// The chat participant is in the conversation already.
const ALREADY_BY_IDENTITY: u32 = 50433;
/// The pair of addresses is bound already, in this conversation or another.
const ALREADY_BY_ADDRESS: u32 = 50416;
/// The participant is not there.
const NO_PARTICIPANT: &[u32] = &[50430, 50432];

/// Adds a participant, or finds the same one there.
pub(super) async fn add(
    rest: &RestClient,
    conversation: &str,
    participant: NewParticipant,
    own_address: Option<&str>,
) -> Result<Participant, MessagingError> {
    let new = request(participant, own_address)?;
    let error = match rest.add_participant(conversation, &new).await {
        Ok(added) => return Ok(convert::participant(added)),
        Err(error) => error,
    };
    let may_be_there = matches!(
        error,
        RestError::Refused { status: 409, .. }
            | RestError::Refused { code: ALREADY_BY_IDENTITY | ALREADY_BY_ADDRESS, .. }
    );
    if may_be_there {
        let there = rest.list_participants(conversation, MAX_PARTICIPANTS).await;
        let there = there.map_err(|error| failed(Operation::AddParticipant, error))?;
        if let Some(same) = there.items.into_iter().find(|other| is_same(&new, other)) {
            return Ok(convert::participant(same));
        }
    }
    Err(failed(Operation::AddParticipant, error))
}

/// Removes a participant. Twilio's "not found" does not say what is missing, so the conversation is asked for.
pub(super) async fn remove(rest: &RestClient, conversation: &str, participant: &str) -> Result<(), MessagingError> {
    let Err(error) = rest.remove_participant(conversation, participant).await else { return Ok(()) };
    let is_participant = error.twilio_code().is_some_and(|code| NO_PARTICIPANT.contains(&code));
    if !is_participant && !error.is_not_found() {
        return Err(failed(Operation::RemoveParticipant, error));
    }
    if !is_participant && let Err(error) = rest.fetch_conversation(conversation).await {
        return Err(failed(Operation::RemoveParticipant, error));
    }
    let message = "there is no such participant";
    Err(MessagingError::new(Operation::RemoveParticipant, ErrorCode::ParticipantNotFound, message)
        .with_provider(codes::CONVERSATION_FAILED, error.twilio_code())
        .with_source(error))
}

fn request(new: NewParticipant, own_address: Option<&str>) -> Result<NewRestParticipant, MessagingError> {
    let invalid = |message| Err(MessagingError::new(Operation::AddParticipant, ErrorCode::InvalidParticipant, message));
    let mut request = NewRestParticipant { attributes: new.attributes, role_sid: new.role, ..Default::default() };
    match (new.identity.filter(|identity| !identity.is_empty()), new.binding) {
        (Some(identity), None) => request.identity = Some(identity),
        (None, Some(binding)) => {
            let prefix = match binding.channel {
                Channel::Sms => "",
                Channel::Whatsapp => "whatsapp:",
                _ => return invalid("only SMS and WhatsApp addresses can be bound"),
            };
            let prefixed = |address: &str| {
                if address.starts_with(prefix) { address.to_owned() } else { format!("{prefix}{address}") }
            };
            if binding.address.expose().is_empty() {
                return invalid("the address is empty");
            }
            let Some(proxy) = binding.proxy_address.as_deref().or(own_address) else {
                return invalid("a proxy address is needed: name one, or set phone_number");
            };
            request.address = Some(prefixed(binding.address.expose()));
            request.proxy_address = Some(prefixed(proxy));
        }
        (Some(_), Some(_)) => return invalid("give an identity or an address, not both"),
        (None, None) => return invalid("an identity or an address is needed"),
    }
    Ok(request)
}

fn is_same(new: &NewRestParticipant, there: &rest::Participant) -> bool {
    match &new.identity {
        Some(_) => new.identity == there.identity,
        None => there.messaging_binding.as_ref().is_some_and(|binding| {
            binding.address.is_some() && binding.address == new.address && binding.proxy_address == new.proxy_address
        }),
    }
}
