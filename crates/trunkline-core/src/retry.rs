//! Whether a failed operation may be tried again.

use std::time::Duration;

/// What an error says about a second attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The answer will not change. Do not repeat.
    No,
    /// Nothing happened on the far side. Repeat, not before this long from now; zero means when it suits.
    After(Duration),
    /// The request left, its effect is not known. Look at the far side before repeating anything that has an effect.
    Unknown,
}
