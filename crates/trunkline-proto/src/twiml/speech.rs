//! What is to be spoken: words, with SSML if there is any.

use super::TwimlError;
use super::parse;

/// Words, and the markup around them. White space counts as one space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Speech {
    plain: String,
    ssml: Option<String>,
}

impl Speech {
    /// Words without markup.
    pub fn text(text: &str) -> Self {
        Self { plain: collapsed(text), ssml: None }
    }

    /// Words with markup: the inside of an SSML `<speak>`, without that element.
    ///
    /// # Errors
    ///
    /// `proto.twiml.not_xml`, `proto.twiml.too_long`, `proto.twiml.too_deep`.
    pub fn ssml(markup: &str) -> Result<Self, TwimlError> {
        parse::ssml(markup)
    }

    /// The words alone.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// The markup, if there is any.
    pub fn markup(&self) -> Option<&str> {
        self.ssml.as_deref()
    }

    pub(super) fn of_parts(plain: &str, ssml: Option<String>) -> Self {
        Self { plain: collapsed(plain), ssml }
    }
}

impl From<&str> for Speech {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

fn collapsed(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut collapsed = words.next().unwrap_or_default().to_owned();
    for word in words {
        collapsed.push(' ');
        collapsed.push_str(word);
    }
    collapsed
}
