//! The names of the streams on the bus.

use std::fmt;

/// The name of a stream, such as `internal.ingress.v1`: words of letters, digits, `-` and `_`, joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// A subject may be this long, in bytes.
    pub const MAX_LEN: usize = 200;

    /// Reads a subject; `None` if it has an empty word, a wildcard, a space, or is too long.
    pub fn parse(text: &str) -> Option<Self> {
        let word_is_fine = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        (text.len() <= Self::MAX_LEN && text.split('.').all(word_is_fine)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The subjects of one installation and of one gateway instance in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    /// Facts from connectors.
    pub ingress: Subject,
    /// Commands to the connectors of this instance.
    pub egress: Subject,
}

impl Subjects {
    /// The subjects of the instance named `instance`; `None` if the name is not fit for a subject.
    pub fn of_instance(instance: &str) -> Option<Self> {
        Some(Self {
            ingress: Subject::parse("internal.ingress.v1")?,
            egress: Subject::parse(&format!("internal.egress.v1.{instance}"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_plain_words() {
        for good in ["internal.ingress.v1", "a", "a-b_c.D9"] {
            assert!(Subject::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "a.", "a..b", "a.*", "a b", ">", &"a".repeat(Subject::MAX_LEN + 1)] {
            assert!(Subject::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(Subjects::of_instance("main").expect("subjects").egress.as_str(), "internal.egress.v1.main");
        assert!(Subjects::of_instance("two words").is_none());
    }
}
