//! Codes of what the web chat turns away.

/// The page that opened the socket is of an origin that is not allowed. Answered 403.
pub(super) const ORIGIN: &str = "webchat.origin";
/// Too many sockets are open: in all (answered 503), or of this visitor (in an `error` frame).
pub(super) const TOO_MANY_SOCKETS: &str = "webchat.too_many_sockets";
/// Too many sockets are open from one address (IPv6: one /64). Answered 503.
pub(super) const ADDRESS_FULL: &str = "webchat.address_full";
/// A frame is not JSON that the chat knows, too large, or a second `hello`. After five the socket is closed.
pub(super) const BAD_FRAME: &str = "webchat.bad_frame";
/// The first frame is not `hello`, or none came within ten seconds.
pub(super) const HELLO_FIRST: &str = "webchat.hello_first";
/// The token of a `hello` opens no conversation here; a new one has begun. A notice, not an error.
pub(super) const UNKNOWN_TOKEN: &str = "webchat.unknown_token";
/// The id of a message is not 1 to 64 letters, digits, `-` or `_`.
pub(super) const BAD_ID: &str = "webchat.bad_id";
/// A message without text.
pub(super) const EMPTY: &str = "webchat.empty";
/// The text of a message is longer than 4096 bytes.
pub(super) const TOO_LONG: &str = "webchat.too_long";
/// More than thirty messages of one visitor within a minute.
pub(super) const TOO_FAST: &str = "webchat.too_fast";
/// Too many new visitors from one address within a minute (`TRUNKLINE_WEBCHAT_NEW_VISITORS`).
pub(super) const TOO_MANY_VISITORS: &str = "webchat.too_many_visitors";
/// A message could not be made safe; it may be sent again under the same id.
pub(super) const UNAVAILABLE: &str = "webchat.unavailable";
