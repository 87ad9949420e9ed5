//! Codes of what a connector itself cannot do.

/// Whether a message was sent cannot be told any more: too much has been said since.
pub(super) const OUTCOME_UNKNOWN: &str = "connector.outcome_unknown";
/// Files were asked of a connector whose platform has none.
pub(super) const NO_FILES: &str = "connector.no_files";
