//! Codes of requests that the console and its API turn away.

/// A parameter of the request has no meaning. Answered 400.
pub(super) const BAD_REQUEST: &str = "console.bad_request";
/// There is no such conversation, call or recording. Answered 404.
pub(super) const NOT_FOUND: &str = "console.not_found";
/// The connector of this conversation is switched off. Answered 409.
pub(super) const NO_CONNECTOR: &str = "console.no_connector";
/// There is no agent of that name. Answered 422.
pub(super) const UNKNOWN_AGENT: &str = "console.unknown_agent";
/// The request brings neither the console's token nor a cookie. Answered 401.
pub(super) const UNAUTHORIZED: &str = "console.unauthorized";
/// A log-in with a token that is not the console's. Answered 401.
pub(super) const WRONG_TOKEN: &str = "console.wrong_token";
/// Too many wrong tokens in this second. Answered 429.
pub(super) const TOO_MANY_TRIES: &str = "console.too_many_tries";
/// A call has as many orders as it can take. Answered 503.
pub(super) const BUSY: &str = "console.busy";
/// The person is on hold and hears nothing of ours. Answered 409.
pub(super) const ON_HOLD: &str = "console.on_hold";
/// There are no calls here: they are switched off, or the gateway stops. Answered 503.
pub(super) const NO_CALLS: &str = "console.no_calls";
