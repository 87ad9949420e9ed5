//! What can be wrong with a document. No error repeats what the document says.

use super::{MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ELEMENTS};

/// A document that cannot be carried out. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TwimlError {
    /// The document is longer than [`MAX_DOCUMENT_BYTES`].
    #[error("the document is longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    /// The text is no well-formed XML in UTF-8, or it has a document type, which TwiML never has.
    #[error("the document is not well-formed XML (line {line}, column {column})")]
    NotXml {
        /// Where.
        line: u32,
        /// Where in the line.
        column: u32,
    },
    /// The outermost element is not `<Response>`.
    #[error("the outermost element is not <Response>")]
    NotTwiml,
    /// An element that does not exist, or not at this place. Verbs are case-sensitive.
    #[error("an element is unknown inside <{inside}> (line {line})")]
    UnknownElement {
        /// The element around it.
        inside: &'static str,
        /// Where.
        line: u32,
    },
    /// Something is missing without which the element means nothing.
    #[error("<{element}> lacks {what} (line {line})")]
    Missing {
        /// The element.
        element: &'static str,
        /// The attribute or content.
        what: &'static str,
        /// Where.
        line: u32,
    },
    /// Elements are nested deeper than [`MAX_DEPTH`].
    #[error("elements are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// There are more than [`MAX_ELEMENTS`] elements.
    #[error("the document has more than {MAX_ELEMENTS} elements")]
    TooManyVerbs,
}

impl TwimlError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "proto.twiml.too_long",
            Self::NotXml { .. } => "proto.twiml.not_xml",
            Self::NotTwiml => "proto.twiml.not_twiml",
            Self::UnknownElement { .. } => "proto.twiml.unknown_element",
            Self::Missing { .. } => "proto.twiml.missing",
            Self::TooDeep => "proto.twiml.too_deep",
            Self::TooManyVerbs => "proto.twiml.too_many_verbs",
        }
    }

    /// The error that Twilio logs: 11750 for a document that is too long, else 12100.
    pub fn twilio_code(&self) -> u32 {
        if matches!(self, Self::TooLong) { 11750 } else { 12100 }
    }
}

/// Something in a document that was left out. Twilio logs it as 12200 and goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// What is wrong.
    pub kind: WarningKind,
    /// The element it is in.
    pub element: &'static str,
    /// Where, counted from 1.
    pub line: u32,
}

/// What is wrong with a part of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// The element has no such attribute. Names are case-sensitive, but for those of `<ConversationRelay>`.
    UnknownAttribute,
    /// The value means nothing for this attribute, by its name.
    BadValue(&'static str),
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            WarningKind::UnknownAttribute => {
                write!(f, "an attribute of <{}> is unknown (line {})", self.element, self.line)
            }
            WarningKind::BadValue(name) => {
                write!(f, "the value of {name} of <{}> means nothing (line {})", self.element, self.line)
            }
        }
    }
}
