//! Codes of what a connector itself cannot do.

/// Whether a message was sent cannot be told any more: too much has been said since.
pub(super) const OUTCOME_UNKNOWN: &str = "connector.outcome_unknown";
/// A command names a conversation of two addresses, and no message from the person's is recorded.
pub(super) const NO_SUCH_PAIR: &str = "connector.no_such_pair";
/// Files were asked of a connector whose platform has none.
pub(crate) const NO_FILES: &str = "connector.no_files";
/// Twilio fetches files that Programmable Messaging sends from this gateway, and no public address of it is known: set
/// `TWILIO_WEBHOOK_URL`.
pub(super) const NO_PUBLIC_ADDRESS: &str = "connector.no_public_address";
