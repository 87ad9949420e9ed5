//! The verbs that play, wait, go elsewhere or answer a message.

use super::attribute::{HttpMethod, attributes};
use super::speech::Speech;

attributes! {
    /// `<Say>`: speak.
    Say {
        /// Default: the account's.
        voice: String = "voice",
        /// Default: `en-US`, or the voice's own.
        language: String = "language",
        /// How often. Default 1; 0 is without end.
        repeat: u32 = "loop",
    }
    contents {
        /// What is spoken.
        speech: Speech,
    }
}

impl Say {
    /// Speaks words once, in the default voice.
    pub fn text(text: &str) -> Self {
        Self { speech: Speech::text(text), ..Self::default() }
    }
}

attributes! {
    /// `<Play>`: play a file, or digits if `digits` is set.
    Play {
        /// How often. Default 1; 0 is without end.
        repeat: u32 = "loop",
        /// Tones instead of a file: `0-9 * #`, and `w` for half a second of silence.
        digits: String = "digits",
    }
    contents {
        /// The file's URL. Empty with `digits`.
        url: String,
    }
}

impl Play {
    /// Plays a file once.
    pub fn url(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Plays digits.
    pub fn digits(digits: impl Into<String>) -> Self {
        Self { digits: Some(digits.into()), ..Self::default() }
    }
}

attributes! {
    /// `<Pause>`: wait.
    Pause {
        /// Seconds. Default 1.
        length: u32 = "length",
    }
}

attributes! {
    /// `<Redirect>`: go on with another document.
    Redirect {
        /// Default POST.
        method: HttpMethod = "method",
    }
    contents {
        /// Where it is. May be relative to the document's own URL.
        url: String,
    }
}

impl Redirect {
    /// Goes on at a URL, by POST.
    pub fn to(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: None }
    }
}

attributes! {
    /// `<Reject>`: refuse an inbound call, free of charge.
    Reject {
        /// `rejected` (default) or `busy`.
        reason: String = "reason",
    }
}

attributes! {
    /// `<Message>`: answer a message.
    Message {
        /// Default: who wrote.
        to: String = "to",
        /// Default: the number that was written to.
        from: String = "from",
        /// Requested when it was sent, or not.
        action: String = "action",
        /// Of `action`. Default POST.
        method: HttpMethod = "method",
        /// Told of the message's way.
        status_callback: String = "statusCallback",
    }
    contents {
        /// The text.
        body: String,
        /// URLs of files.
        media: Vec<String>,
    }
}
