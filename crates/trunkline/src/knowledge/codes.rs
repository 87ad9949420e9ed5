//! Codes of documents that are not taken in, and of searches that are turned away.

/// The document is larger than `knowledge.max_bytes`. Answered 413.
pub(super) const TOO_LARGE: &str = "knowledge.too_large";
/// The document is neither text, Markdown, HTML nor PDF, by its content. Answered 415.
pub(super) const UNSUPPORTED: &str = "knowledge.unsupported";
/// The document cannot be read: it is broken, or not what it says. Answered 422.
pub(super) const UNREADABLE: &str = "knowledge.unreadable";
/// The PDF needs a password. Answered 422.
pub(super) const ENCRYPTED: &str = "knowledge.encrypted";
/// Reading the document takes more time, memory or text than it may: it unfolds into far more than it is. Answered 422.
pub(super) const TOO_HEAVY: &str = "knowledge.too_heavy";
/// There is no text in the document; a PDF of pictures has none. Answered 422.
pub(super) const EMPTY: &str = "knowledge.empty";
/// PDFs are not read here: no program is set that does. Answered 501.
pub(super) const NO_PDF: &str = "knowledge.no_pdf";
/// As many documents are being taken in as can be at once. Answered 503.
pub(super) const BUSY: &str = "knowledge.busy";
/// There is no such collection or document. Answered 404.
pub(super) const NOT_FOUND: &str = "knowledge.not_found";
