//! Codes of files that are not taken.

/// The file is of a kind that is not taken, whatever it calls itself: see `media.types`.
pub(crate) const UNSUPPORTED: &str = "files.unsupported";
/// The file is larger than `media.max_bytes`.
pub(crate) const TOO_LARGE: &str = "files.too_large";
/// The files that are kept have reached `media.max_total_bytes`: make room, or raise it. Answered 507.
pub(crate) const FULL: &str = "files.full";
/// The file could not be fetched in time, or its provider does not give it.
pub(crate) const UNREACHABLE: &str = "files.unreachable";
/// The file is not at an address of the public internet. Nobody was asked.
pub(crate) const PRIVATE_ADDRESS: &str = "files.private_address";
/// There is no such file. Answered 404.
pub(crate) const NOT_FOUND: &str = "files.not_found";
