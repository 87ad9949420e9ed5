//! Audio inside of a message.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why a payload could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// It is not Base64 with padding.
    #[error("the payload is not Base64")]
    NotBase64,
    /// It holds more bytes than there is room for.
    #[error("the payload holds more bytes than there is room for")]
    TooLong,
}

impl PayloadError {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotBase64 => "media.payload.not_base64",
            Self::TooLong => "media.payload.too_long",
        }
    }
}

/// μ-law bytes in Base64, as they stand in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload<'a>(pub(super) Cow<'a, str>);

impl Payload<'_> {
    /// The Base64 text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many bytes it holds, if it is Base64. Each is a sample.
    pub fn decoded_len(&self) -> usize {
        let text = self.0.as_bytes();
        let padding = text.iter().rev().take(2).filter(|byte| **byte == b'=').count();
        (text.len() / 4 * 3).saturating_sub(padding)
    }

    /// Decodes into a buffer and says how many bytes there were.
    pub fn decode_into(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        if self.decoded_len() > out.len() {
            return Err(PayloadError::TooLong);
        }
        STANDARD.decode_slice(self.0.as_bytes(), out).map_err(|_| PayloadError::NotBase64)
    }

    /// Decodes and appends, for payloads of any size.
    pub fn decode_onto(&self, out: &mut Vec<u8>) -> Result<usize, PayloadError> {
        let before = out.len();
        out.resize(before + self.decoded_len(), 0);
        let decoded = self.decode_into(out.get_mut(before..).unwrap_or_default());
        out.truncate(before + decoded.unwrap_or_default());
        decoded
    }
}

/// Appends bytes as Base64.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let before = out.len();
    out.resize(before + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, out.get_mut(before..).unwrap_or_default());
    out.truncate(before + written.unwrap_or_default());
}
