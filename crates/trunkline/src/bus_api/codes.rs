//! Codes of requests to the bus that are turned away. What the store or the envelope refuses has codes of its own.

/// A parameter, or the body, of the request has no meaning. Answered 400.
pub(super) const BAD_REQUEST: &str = "bus_api.bad_request";
/// The envelope is not a command that may come from outside: another type, or an `outbox_id`. Answered 400.
pub(super) const NOT_A_COMMAND: &str = "bus_api.not_a_command";
/// The command has neither a text nor a message that it answers. Answered 400.
pub(super) const NOTHING_TO_SAY: &str = "bus_api.nothing_to_say";
/// The text is longer than the connector takes in one message, or in as many as it may become. Answered 422.
pub(super) const TEXT_TOO_LONG: &str = "bus_api.text_too_long";
/// The command names a connector that this gateway does not have. Answered 422.
pub(super) const UNKNOWN_CONNECTOR: &str = "bus_api.unknown_connector";
/// Another request is waiting as the same consumer. Answered 409; ask again in a moment, or use another name.
pub(super) const CONSUMER_BUSY: &str = "bus_api.consumer_busy";
/// There are as many consumers as there may be. Answered 409; forget one that is not used any more.
pub(super) const TOO_MANY_CONSUMERS: &str = "bus_api.too_many_consumers";
/// The conversation is closed: nothing can be said in it any more. Answered 409.
pub(super) const CLOSED: &str = "bus_api.conversation_closed";
/// The connector sends no templates, or the template's name or what is to be filled in has no meaning. Answered 422.
pub(super) const BAD_TEMPLATE: &str = "bus_api.bad_template";
