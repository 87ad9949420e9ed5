//! Codes of why there is no connection, or none that is of use.

/// No access token could be made.
pub(super) const NO_TOKEN: &str = "realtime.no_token";
/// The socket could not be opened, or is gone.
pub(super) const DISCONNECTED: &str = "realtime.disconnected";
/// The server ended the connection; its status and Twilio's number say why.
pub(super) const REFUSED: &str = "realtime.refused";
/// The server did not answer in time while the connection was made or its token replaced.
pub(super) const TIMEOUT: &str = "realtime.timeout";
/// The server was silent, and said nothing when it was asked.
pub(crate) const SILENT: &str = "realtime.silent";
/// The client is connected, and what it needs to take part cannot be opened. It is tried again.
pub(crate) const START: &str = "realtime.start";
