//! Codes of webhooks that the edge turns away by itself. Those of signatures, forms and parameters come with the errors
//! that say so.

/// A webhook came by a method other than POST and GET. Answered 405.
pub(super) const METHOD: &str = "edge.method";
/// The body of a webhook is longer than 64 KiB, or was cut short. Answered 413.
pub(super) const BODY_TOO_LARGE: &str = "edge.body_too_large";
/// The body of a webhook is not `application/x-www-form-urlencoded`. Answered 415.
pub(super) const CONTENT_TYPE: &str = "edge.content_type";
/// The webhook is signed, but its `AccountSid` is not the account that this gateway serves. Answered 403.
pub(super) const OTHER_ACCOUNT: &str = "edge.other_account";
/// The data folder was removed or replaced while the gateway runs: nothing that is taken would last. Answered 503.
pub(super) const DATA_LOST: &str = "edge.data_lost";
/// A call's socket has no token that was given out for it, or is not signed by Twilio. Answered 403.
pub(super) const SOCKET_REFUSED: &str = "edge.socket_refused";
/// A request for a call's socket is not the handshake of a WebSocket (RFC 6455, section 4.2.1). Answered 400.
pub(super) const NO_SOCKET: &str = "edge.no_socket";
