//! Names of marks.

use std::fmt;
use std::ops::Deref;

use super::SegmentId;

/// Digits of a 32-bit number, and a letter.
const LENGTH: usize = 11;

/// The name of a mark, unique in its call. Text without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MarkName {
    text: [u8; LENGTH],
    length: u8,
}

impl MarkName {
    pub(super) fn new(number: u32) -> Self {
        let mut text = [b'm'; LENGTH];
        let mut digits = 1 + number.checked_ilog10().unwrap_or_default() as usize;
        let length = digits + 1;
        let mut rest = number;
        while let (true, Some(digit)) = (digits > 0, text.get_mut(digits)) {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            digits -= 1;
        }
        Self { text, length: u8::try_from(length).unwrap_or_default() }
    }

    /// The number in a name, if it is one of ours.
    pub(super) fn number(name: &str) -> Option<u32> {
        let number = name.strip_prefix('m')?.parse().ok()?;
        (Self::new(number).as_str() == name).then_some(number)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..usize::from(self.length)).unwrap_or_default();
        // It is ASCII.
        str::from_utf8(text).unwrap_or_default()
    }
}

impl Deref for MarkName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for MarkName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for MarkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MarkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MarkName({self})")
    }
}

/// What a returned mark means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkReturned {
    /// All that was sent before it has been heard.
    Heard(SegmentId),
    /// It came back after its audio was cleared, and proves nothing.
    Late(SegmentId),
}
