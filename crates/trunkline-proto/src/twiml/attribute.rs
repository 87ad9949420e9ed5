//! Attribute values, and structs of attributes that write and read themselves.

use std::borrow::Cow;

/// A value of an attribute.
pub(super) trait Value: Sized {
    fn to_text(&self) -> Cow<'_, str>;
    fn from_text(text: &str) -> Option<Self>;
}

/// A struct whose fields are attributes of one element.
pub(super) trait Attributes: Default {
    /// The attributes' names, in the order in which they are written.
    const NAMES: &'static [&'static str];

    /// Names and values of those that are set.
    fn set(&self) -> Vec<(&'static str, Cow<'_, str>)>;

    /// Takes a value; `false` if it means nothing for this attribute or there is no such one.
    fn take(&mut self, name: &str, value: &str) -> bool;
}

/// Declares a struct of optional attributes, and optionally of contents after them.
macro_rules! attributes {
    (
        $(#[$meta:meta])* $name:ident {
            $($(#[$doc:meta])* $field:ident: $kind:ty = $attribute:literal,)*
        }
        $(contents { $($(#[$content_doc:meta])* $content:ident: $content_kind:ty,)* })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$doc])* pub $field: Option<$kind>,)*
            $($($(#[$content_doc])* pub $content: $content_kind,)*)?
        }

        impl crate::twiml::attribute::Attributes for $name {
            const NAMES: &'static [&'static str] = &[$($attribute),*];

            fn set(&self) -> Vec<(&'static str, std::borrow::Cow<'_, str>)> {
                let all: Vec<(&'static str, Option<std::borrow::Cow<'_, str>>)> = vec![
                    $(($attribute, self.$field.as_ref().map(crate::twiml::attribute::Value::to_text)),)*
                ];
                all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
            }

            fn take(&mut self, name: &str, value: &str) -> bool {
                match name {
                    $($attribute => {
                        self.$field = crate::twiml::attribute::Value::from_text(value);
                        self.$field.is_some()
                    })*
                    _ => { let _unused = value; false },
                }
            }
        }
    };
}
pub(super) use attributes;

/// Declares an enumeration of attribute values: each value as it is written, then other texts that mean it.
macro_rules! values {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal $(| $other:literal)*,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl Value for $name {
            fn to_text(&self) -> Cow<'_, str> {
                Cow::Borrowed(self.as_str())
            }

            fn from_text(text: &str) -> Option<Self> {
                match text.trim() {
                    $($text $(| $other)* => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

values! {
    /// How a URL is requested.
    HttpMethod {
        /// With the parameters in the query.
        Get = "GET" | "get",
        /// With the parameters as a form.
        Post = "POST" | "post",
    }
}

values! {
    /// Whose audio.
    Track {
        /// What the far side says.
        Inbound = "inbound_track",
        /// What the far side hears.
        Outbound = "outbound_track",
        /// Both, each for itself.
        Both = "both_tracks",
    }
}

values! {
    /// Which input counts.
    Interruptible {
        /// None.
        None = "none" | "false",
        /// Digits.
        Dtmf = "dtmf",
        /// Speech.
        Speech = "speech",
        /// Digits and speech.
        Any = "any" | "true",
    }
}

values! {
    /// What `<Gather>` listens for.
    GatherInput {
        /// Digits.
        Dtmf = "dtmf",
        /// Speech.
        Speech = "speech",
        /// Whichever comes first.
        DtmfSpeech = "dtmf speech" | "speech dtmf",
    }
}

/// How long a pause ends speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpeechTimeout {
    /// The recogniser decides.
    Auto,
    /// A number: seconds for `<Gather>`, milliseconds for `<ConversationRelay>`.
    After(u32),
}

impl Value for SpeechTimeout {
    fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Auto => Cow::Borrowed("auto"),
            Self::After(number) => Cow::Owned(number.to_string()),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        if text.trim() == "auto" { Some(Self::Auto) } else { text.trim().parse().ok().map(Self::After) }
    }
}

impl Value for String {
    fn to_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Value for u32 {
    fn to_text(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }

    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

impl Value for bool {
    fn to_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(if *self { "true" } else { "false" })
    }

    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}
