//! Twilio's error numbers: what each means to a person, which of our codes it becomes, and whether to try again.
//!
//! Numbers that are not here are judged by the HTTP status of the answer. Source: `/docs/api/errors`.

use trunkline_core::messaging::ErrorCode;

/// What an error number asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The answer will not change: mend the request.
    Refused,
    /// The credentials are wrong or do not suffice: mend the configuration.
    Auth,
    /// Nothing happened; the same may be tried later.
    Throttled,
    /// Somebody changed the same resource at that moment; nothing happened, and the same may be tried at once.
    Conflict,
    /// Twilio has trouble of its own; whether anything happened is not known.
    Unavailable,
    /// The message was accepted, and could not be delivered afterwards.
    Undelivered,
}

impl Class {
    /// One word, as in the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Auth => "auth",
            Self::Throttled => "throttled",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Undelivered => "undelivered",
        }
    }

    /// What a second try is worth, as the table of error codes says it.
    pub const fn again(self) -> &'static str {
        match self {
            Self::Refused | Self::Auth | Self::Undelivered => "no",
            Self::Throttled | Self::Conflict => "yes",
            Self::Unavailable => "look first",
        }
    }
}

/// One of Twilio's error numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorNumber {
    /// The number.
    pub number: u32,
    /// The contract's code for it; `None` where that depends on the operation.
    pub code: Option<ErrorCode>,
    /// What it asks for.
    pub class: Class,
    /// What it means, for people.
    pub meaning: &'static str,
}

impl ErrorNumber {
    /// What is known of a number.
    pub fn find(number: u32) -> Option<&'static Self> {
        let at = ERROR_NUMBERS.binary_search_by_key(&number, |known| known.number).ok()?;
        ERROR_NUMBERS.get(at)
    }
}

const fn known(number: u32, code: Option<ErrorCode>, class: Class, meaning: &'static str) -> ErrorNumber {
    ErrorNumber { number, code, class, meaning }
}

const fn refused(number: u32, code: ErrorCode, meaning: &'static str) -> ErrorNumber {
    known(number, Some(code), Class::Refused, meaning)
}

const fn throttled(number: u32, meaning: &'static str) -> ErrorNumber {
    known(number, Some(ErrorCode::RateLimit), Class::Throttled, meaning)
}

const fn undelivered(number: u32, meaning: &'static str) -> ErrorNumber {
    known(number, Some(MessageFailed), Class::Undelivered, meaning)
}

use ErrorCode::{AuthError, ConversationFailed, InvalidConfig, InvalidMessage, InvalidParticipant, MessageFailed};

/// Every number that is known, in order.
pub const ERROR_NUMBERS: &[ErrorNumber] = &[
    throttled(14107, "more messages than this sender may send"),
    known(20001, None, Class::Refused, "a parameter is unknown or wrong"),
    known(20003, Some(AuthError), Class::Auth, "the credentials are wrong"),
    known(20004, None, Class::Refused, "the method is not allowed here"),
    known(20005, Some(AuthError), Class::Auth, "the account is not active"),
    known(20006, Some(AuthError), Class::Auth, "the credentials do not suffice"),
    known(20007, None, Class::Refused, "the page is too large"),
    known(20008, Some(AuthError), Class::Auth, "test credentials cannot do this"),
    known(20404, None, Class::Refused, "there is no such resource"),
    known(20409, None, Class::Conflict, "the resource was changed at the same moment"),
    known(20422, None, Class::Refused, "a parameter is not valid"),
    known(20423, None, Class::Refused, "a SID is not valid"),
    throttled(20429, "too many requests at once"),
    known(20500, None, Class::Unavailable, "Twilio failed inside"),
    known(20503, None, Class::Unavailable, "Twilio is not available"),
    refused(21211, InvalidMessage, "the recipient is not a telephone number"),
    refused(21212, InvalidMessage, "the sender is not a telephone number"),
    refused(21408, MessageFailed, "the account may not send to this country"),
    refused(21601, MessageFailed, "the sender's number cannot send texts"),
    refused(21602, InvalidMessage, "a message needs a text or a file"),
    refused(21603, InvalidMessage, "a message needs a sender"),
    refused(21604, InvalidMessage, "a message needs a recipient"),
    refused(21606, MessageFailed, "the sender's number is not the account's, or cannot send texts"),
    refused(21608, MessageFailed, "a trial account sends to verified numbers only"),
    refused(21610, MessageFailed, "the person has opted out of messages of this sender"),
    throttled(21611, "the sender's queue is full"),
    refused(21612, MessageFailed, "this sender cannot reach this recipient"),
    refused(21614, InvalidMessage, "the recipient is not a mobile number"),
    refused(21617, InvalidMessage, "the text is longer than 1600 characters"),
    refused(21619, InvalidMessage, "a message needs a text or a file"),
    refused(21620, InvalidMessage, "the address of a file is not valid"),
    refused(21623, InvalidMessage, "more than ten files"),
    refused(21655, InvalidMessage, "there is no such content template"),
    refused(21656, InvalidMessage, "the variables do not fit the content template"),
    undelivered(30001, "waited in the queue for too long"),
    undelivered(30002, "the account was suspended"),
    undelivered(30003, "the telephone is switched off or cannot be reached"),
    undelivered(30004, "the recipient blocks messages"),
    undelivered(30005, "the number does not exist any more"),
    undelivered(30006, "a landline, or a network that takes no texts"),
    undelivered(30007, "the network took it for unwanted"),
    undelivered(30008, "the network gave no reason"),
    undelivered(30010, "it would have cost more than allowed"),
    undelivered(30011, "the network takes no MMS"),
    undelivered(30019, "larger than the network takes"),
    undelivered(30022, "more messages than the campaign may send"),
    undelivered(30023, "more messages today than the network takes of this brand"),
    undelivered(30032, "the toll-free number is not verified"),
    undelivered(30034, "the number is not registered for this kind of traffic"),
    throttled(50063, "more actions in a second than the service may do"),
    throttled(50074, "more actions in a second than all services may do"),
    refused(50200, InvalidParticipant, "there is no such user"),
    refused(50201, InvalidParticipant, "there is a user of that identity"),
    refused(50211, InvalidParticipant, "someone on a telephone channel has no identity"),
    known(50300, None, Class::Refused, "there is no such conversation"),
    known(50303, None, Class::Refused, "the attributes are too long"),
    known(50304, None, Class::Refused, "the attributes are not JSON"),
    refused(50307, ConversationFailed, "the unique name is taken"),
    known(50350, None, Class::Refused, "there is no such conversation"),
    refused(50353, ConversationFailed, "the unique name is taken"),
    refused(50360, InvalidConfig, "there is no such webhook"),
    refused(50361, InvalidConfig, "the conversation has as many webhooks as it may"),
    refused(50362, InvalidConfig, "the webhook has too many triggers"),
    refused(50373, ConversationFailed, "the conversation has no messaging service"),
    known(50374, None, Class::Refused, "the state or a timer is not valid"),
    known(50375, None, Class::Refused, "the timer to inactive is shorter than a minute"),
    known(50376, None, Class::Refused, "the timer to closed is shorter than ten minutes"),
    known(50377, None, Class::Refused, "the conversation is closed"),
    known(50378, None, Class::Refused, "there is no such state"),
    known(50379, None, Class::Refused, "a duration is not valid"),
    known(50380, None, Class::Refused, "a duration is not valid"),
    known(50382, None, Class::Refused, "a timer needs a state"),
    known(50384, None, Class::Refused, "a conversation cannot begin closed"),
    refused(50390, InvalidConfig, "the unique name looks like a SID"),
    known(50391, None, Class::Conflict, "the conversation was changed at the same moment"),
    refused(50407, InvalidParticipant, "the address is not valid"),
    refused(50408, InvalidParticipant, "the address is not valid"),
    refused(50409, InvalidParticipant, "the address of ours is missing"),
    refused(50410, InvalidParticipant, "the address is missing"),
    refused(50412, InvalidParticipant, "the two addresses are of different channels"),
    refused(50413, InvalidParticipant, "the address of ours is not the account's"),
    refused(50415, InvalidParticipant, "the address of ours is not a WhatsApp sender"),
    refused(50416, InvalidParticipant, "the two addresses are joined in another conversation"),
    refused(50417, InvalidParticipant, "the conversation has as many participants as it may"),
    refused(50418, InvalidParticipant, "the identity is in as many conversations as it may"),
    refused(50422, InvalidParticipant, "the conversation has as many participants as it may"),
    refused(50426, InvalidParticipant, "more participants than one request may create"),
    refused(50427, InvalidParticipant, "not all participants could be created"),
    known(50430, None, Class::Refused, "not a participant of the conversation"),
    refused(50431, InvalidParticipant, "the participant's SID is missing"),
    known(50432, None, Class::Refused, "there is no such participant"),
    refused(50433, InvalidParticipant, "the identity is a participant already"),
    refused(50437, InvalidParticipant, "the group has that participant already"),
    refused(50438, InvalidParticipant, "there is a conversation of this group already"),
    refused(50451, InvalidParticipant, "give an identity or an address, not both"),
    known(50500, None, Class::Refused, "there is no such message"),
    refused(50504, InvalidMessage, "the text is too long"),
    refused(50507, InvalidMessage, "a message needs a text or a file"),
    refused(50508, InvalidMessage, "the file is not valid"),
    refused(50509, InvalidMessage, "the file is too large"),
    refused(50510, InvalidMessage, "there is no such file"),
    refused(50511, InvalidMessage, "the type of the file is not taken"),
    refused(50512, InvalidMessage, "there is no such file"),
    refused(50526, InvalidMessage, "there is no such content template"),
    refused(50527, InvalidMessage, "the variables do not fit the content template"),
    undelivered(63001, "the channel does not accept the sender"),
    undelivered(63003, "the channel does not know the recipient"),
    undelivered(63005, "the channel did not take the content"),
    refused(63007, MessageFailed, "the sender is not set up on this channel"),
    undelivered(63012, "the channel has trouble of its own"),
    undelivered(63013, "the content breaks the channel's rules"),
    undelivered(63015, "the recipient has not joined the sandbox"),
    undelivered(63016, "more than 24 hours since the person wrote: only a template may be sent"),
    throttled(63018, "more messages than this WhatsApp sender may send"),
    undelivered(63019, "the file could not be fetched"),
    undelivered(63021, "the content is not valid on this channel"),
    undelivered(63024, "the recipient is not on this channel"),
    throttled(63038, "as many messages today as the account may send"),
    undelivered(63049, "the channel chose not to deliver it"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_and_told_once() {
        assert!(ERROR_NUMBERS.is_sorted_by(|one, next| one.number < next.number));
        assert_eq!(ErrorNumber::find(50433).map(|known| known.class), Some(Class::Refused));
        assert_eq!(ErrorNumber::find(1), None);
    }
}
