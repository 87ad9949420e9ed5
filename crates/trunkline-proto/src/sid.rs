//! String identifiers: two letters that name the kind of resource and 32 hexadecimal digits.
//!
//! A SID is parsed once, where it enters the program, and is then a [`Copy`] value. It is kept exactly as received:
//! upper-case digits stay upper case, because Twilio compares and signs SIDs as text.
//!
//! Not here: what a resource contains.
//!
//! Source: the SID patterns of Twilio's API description documents (`^CH[0-9a-fA-F]{32}$` and its like).

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// Length of every SID in bytes.
pub const SID_LENGTH: usize = 34;

const PREFIX_LENGTH: usize = 2;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A text that is not the SID that was expected. It names what was expected and never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {} and 32 hexadecimal digits", Prefixes(.expected))]
#[non_exhaustive]
pub struct SidError {
    /// The prefixes that would have been right. Empty when any two letters are.
    pub expected: &'static [&'static str],
}

impl SidError {
    /// The stable code of this error, `proto.sid.invalid`.
    pub fn code(&self) -> &'static str {
        "proto.sid.invalid"
    }
}

struct Prefixes<'a>(&'a [&'static str]);

impl fmt::Display for Prefixes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("two letters"),
            prefixes => f.write_str(&prefixes.join(" or ")),
        }
    }
}

/// The bytes of a SID: ASCII, checked when made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Raw([u8; SID_LENGTH]);

impl Raw {
    fn parse(text: &str, expected: &'static [&'static str]) -> Result<Self, SidError> {
        let wrong = SidError { expected };
        let bytes: [u8; SID_LENGTH] = text.as_bytes().try_into().map_err(|_| wrong)?;
        let (prefix, digits) = bytes.split_at(PREFIX_LENGTH);
        let prefix_is_right = if expected.is_empty() {
            prefix.iter().all(u8::is_ascii_alphabetic)
        } else {
            expected.iter().any(|known| known.as_bytes() == prefix)
        };
        if prefix_is_right && digits.iter().all(u8::is_ascii_hexdigit) { Ok(Self(bytes)) } else { Err(wrong) }
    }

    fn from_random(prefix: [u8; PREFIX_LENGTH], random: [u8; 16]) -> Self {
        let mut bytes = [0; SID_LENGTH];
        let digits = random.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).map(hex_digit);
        for (slot, byte) in bytes.iter_mut().zip(prefix.into_iter().chain(digits)) {
            *slot = byte;
        }
        Self(bytes)
    }

    fn as_str(&self) -> &str {
        // Both constructors admit ASCII only, so the fallback is never taken.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn hex_digit(nibble: u8) -> u8 {
    HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')
}

struct SidVisitor(&'static [&'static str]);

impl Visitor<'_> for SidVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and 32 hexadecimal digits", Prefixes(self.0))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Raw::parse(text, self.0).map_err(E::custom)
    }
}

/// What every SID type has, whatever its prefixes.
macro_rules! sid_type {
    ($(#[$meta:meta])* $name:ident, $expected:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Raw);

        impl $name {
            /// The prefixes that this type accepts. Empty when any two letters are accepted.
            pub const PREFIXES: &'static [&'static str] = $expected;

            /// The SID exactly as it was received.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = SidError;

            fn from_str(text: &str) -> Result<Self, SidError> {
                Raw::parse(text, Self::PREFIXES).map(Self)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = SidError;

            fn try_from(text: &str) -> Result<Self, SidError> {
                text.parse()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(SidVisitor(Self::PREFIXES)).map(Self)
            }
        }
    };
}

/// A SID type with known prefixes; new ones are made with the first.
macro_rules! sid {
    ($(#[$meta:meta])* $name:ident, $first:literal $(, $more:literal)*) => {
        sid_type!($(#[$meta])* $name, &[$first $(, $more)*]);

        impl $name {
            #[doc = concat!("A new SID from 16 random bytes, with the prefix `", $first, "` and lower-case digits.")]
            #[must_use]
            pub fn from_random(random: [u8; 16]) -> Self {
                const PREFIX: &str = $first;
                let prefix = PREFIX.as_bytes().first_chunk().copied().unwrap_or_default();
                Self(Raw::from_random(prefix, random))
            }
        }

        impl From<$name> for AnySid {
            fn from(sid: $name) -> Self {
                Self(sid.0)
            }
        }

        impl TryFrom<AnySid> for $name {
            type Error = SidError;

            fn try_from(sid: AnySid) -> Result<Self, SidError> {
                sid.as_str().parse()
            }
        }
    };
}

sid_type!(
    /// A SID of a kind that does not matter here or is not known yet: any two letters.
    AnySid,
    &[]
);

sid!(
    /// An account or sub-account.
    AccountSid,
    "AC"
);
sid!(
    /// An API key; its secret is not part of it.
    ApiKeySid,
    "SK"
);
sid!(
    /// A Conversations service (Twilio's fields call it the chat service).
    ServiceSid,
    "IS"
);
sid!(
    /// A conversation.
    ConversationSid,
    "CH"
);
sid!(
    /// A message in a conversation, whatever channels it went out on.
    MessageSid,
    "IM"
);
sid!(
    /// A message on a channel: an SMS (`SM`), an MMS (`MM`) or a WhatsApp message (`WA`).
    ///
    /// Twilio's document allows any two letters here, so what is received is read as [`AnySid`].
    ChannelMessageSid,
    "SM",
    "MM",
    "WA"
);
sid!(
    /// A participant of one conversation.
    ParticipantSid,
    "MB"
);
sid!(
    /// A webhook of one conversation.
    WebhookSid,
    "WH"
);
sid!(
    /// A delivery receipt: one message to one participant.
    ReceiptSid,
    "DY"
);
sid!(
    /// A file of the media service.
    MediaSid,
    "ME"
);
sid!(
    /// A Messaging Service, a pool of senders.
    MessagingServiceSid,
    "MG"
);
sid!(
    /// An address configuration of Conversations.
    AddressSid,
    "IG"
);
sid!(
    /// A user of a Conversations service.
    UserSid,
    "US"
);
sid!(
    /// A role of a user or a participant.
    RoleSid,
    "RL"
);
sid!(
    /// Credentials for push notifications.
    CredentialSid,
    "CR"
);
sid!(
    /// A device of a user that wants push notifications.
    PushBindingSid,
    "BS"
);
sid!(
    /// A content template.
    ContentSid,
    "HX"
);
sid!(
    /// A phone number that the account owns.
    PhoneNumberSid,
    "PN"
);
sid!(
    /// A call: one leg, between Twilio and one telephone.
    CallSid,
    "CA"
);
sid!(
    /// A recording of a call.
    RecordingSid,
    "RE"
);
sid!(
    /// A media stream of a call.
    StreamSid,
    "MZ"
);
sid!(
    /// A transcription of a call while it lasts.
    TranscriptionSid,
    "GT"
);
sid!(
    /// A warning or an error that Twilio noted about a call.
    NotificationSid,
    "NO"
);
sid!(
    /// A session of ConversationRelay.
    RelaySessionSid,
    "VX"
);
sid!(
    /// One REST request, from the answer's `Twilio-Request-Id` header.
    RequestSid,
    "RQ"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "CH0123456789abcdefABCDEF0123456789";

    #[test]
    fn a_sid_is_kept_as_received() {
        let sid: ConversationSid = TEXT.parse().unwrap();
        assert_eq!(sid.as_str(), TEXT);
        assert_eq!(sid.to_string(), TEXT);
        assert_eq!(format!("{sid:?}"), format!("ConversationSid({TEXT})"));
        assert_eq!(serde_json::to_string(&sid).unwrap(), format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<ConversationSid>(&format!("\"{TEXT}\"")).unwrap(), sid);
    }

    #[test]
    fn what_is_no_sid_is_refused() {
        for text in [
            "",
            "CH",
            "CH0123456789abcdef0123456789abcde",
            "CH0123456789abcdef0123456789abcdef0",
            "CH0123456789abcdef0123456789abcdeg",
            "ch0123456789abcdef0123456789abcdef",
            "AC0123456789abcdef0123456789abcdef",
            " CH0123456789abcdef0123456789abcde",
            "CH0123456789abcdef0123456789abcdé",
        ] {
            let error = text.parse::<ConversationSid>().unwrap_err();
            assert_eq!(error, SidError { expected: &["CH"] }, "{text:?}");
            assert_eq!(error.code(), "proto.sid.invalid");
        }
    }

    #[test]
    fn the_error_names_the_prefixes_and_not_the_text() {
        let error = serde_json::from_str::<ChannelMessageSid>("\"secret\"").unwrap_err().to_string();
        assert!(error.starts_with("expected SM or MM or WA and 32 hexadecimal digits"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert_eq!("x".parse::<AnySid>().unwrap_err().to_string(), "expected two letters and 32 hexadecimal digits");
    }

    #[test]
    fn several_prefixes_are_accepted_and_the_first_is_made() {
        let digits = "0123456789abcdef0123456789abcdef";
        for prefix in ["SM", "MM", "WA"] {
            assert!(format!("{prefix}{digits}").parse::<ChannelMessageSid>().is_ok());
        }
        assert!(format!("IM{digits}").parse::<ChannelMessageSid>().is_err());
        assert_eq!(ChannelMessageSid::from_random([0xa5; 16]).as_str(), format!("SM{}", "a5".repeat(16)));
    }

    #[test]
    fn any_sid_takes_every_kind_and_gives_it_back() {
        let conversation = ConversationSid::from_random([7; 16]);
        let any = AnySid::from(conversation);
        assert_eq!(ConversationSid::try_from(any), Ok(conversation));
        assert_eq!(AccountSid::try_from(any), Err(SidError { expected: &["AC"] }));
    }

    proptest! {
        #[test]
        fn random_bytes_make_a_sid_that_parses(random: [u8; 16]) {
            let sid = MessageSid::from_random(random);
            prop_assert_eq!(sid.as_str().parse::<MessageSid>(), Ok(sid));
            prop_assert_eq!(sid.as_str().parse::<AnySid>(), Ok(AnySid::from(sid)));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            prop_assert!(text.parse::<ConversationSid>().map_or(true, |sid| sid.as_str() == text));
            prop_assert!(text.parse::<AnySid>().map_or(true, |sid| sid.as_str() == text));
        }
    }
}
