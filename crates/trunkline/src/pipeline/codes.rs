//! Codes of dead letters that the pipeline itself gives up on. Those of an agent's or envelope's error are its own.

/// A fact on the bus is of a type that this version does not know.
pub(super) const UNKNOWN_FACT: &str = "ingress.unknown_type";
/// A command on the bus is of a type that this version does not know.
pub(super) const UNKNOWN_COMMAND: &str = "egress.unknown_type";
/// A command names a connector that this gateway does not have, for instance because it is switched off.
pub(super) const UNKNOWN_CONNECTOR: &str = "egress.unknown_connector";
/// A command names an outbox row that this store does not have: bus and store do not belong together.
pub(super) const UNKNOWN_OUTBOX_ROW: &str = "egress.unknown_outbox_row";
/// The person wants nothing from us any more: they wrote STOP, or the provider says so. Nothing was sent. Answered 409.
pub(crate) const OPTED_OUT: &str = "compliance.opted_out";
/// On WhatsApp the person has been silent for longer than a day, and no template is configured. Nothing was sent.
/// Answered 409: send a template, or wait until they write.
pub(crate) const WINDOW_CLOSED: &str = "compliance.window_closed";
