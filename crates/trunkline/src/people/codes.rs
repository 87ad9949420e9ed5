//! Codes of requests about people that are turned away.

/// There is no such person, or nobody has such an address. Answered 404.
pub(super) const NOT_FOUND: &str = "people.not_found";
/// The text is no address: neither a number, nor an e-mail address, nor the name of a chat user. Answered 400.
pub(super) const BAD_ADDRESS: &str = "people.bad_address";
/// A call with the person goes on: they can be forgotten when it is over. Answered 409.
pub(super) const IN_CALL: &str = "people.in_call";
/// More is held of the person than fits into one document. Answered 413.
pub(super) const TOO_MUCH: &str = "people.too_much";
/// An erasure broke off, because the gateway stops. What is left of it is done after the next start. Answered 503.
pub(super) const BROKE_OFF: &str = "people.broke_off";
