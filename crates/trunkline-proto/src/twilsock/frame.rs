//! The framing: `TWILSOCK V3.0 <H>\r\n`, a JSON header of `<H>` bytes, `\r\n`, and the payload that the header counts.
//!
//! Lengths are bytes, never characters: a client that counts characters breaks at the first `ß`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The longest header that is read, in bytes. The longest of them carries an access token.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The longest payload that is read, in bytes: a page of 100 messages of 32 KB with 16 KB of attributes each fits.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024 * 1024;

/// The longest WebSocket message that either end needs to take, in bytes.
pub const MAX_FRAME_BYTES: usize = MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES + 64;

const PROTOCOL: &[u8] = b"TWILSOCK V3.0 ";
const BREAK: &[u8] = b"\r\n";
/// The longest decimal number that is read as a length.
const MAX_DIGITS: usize = 9;

/// Why bytes are not a frame. No byte of them is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It does not begin with `TWILSOCK V3.0`, a length and a line break.
    #[error("the frame does not begin with TWILSOCK V3.0 and a length")]
    Preamble,
    /// The header is longer than [`MAX_HEADER_BYTES`] or the payload longer than [`MAX_PAYLOAD_BYTES`].
    #[error("the frame is longer than {MAX_FRAME_BYTES} bytes allow")]
    TooLong,
    /// It ends before its header or its payload does, or has bytes behind them.
    #[error("the lengths of the frame do not match its bytes")]
    Length,
    /// The header is not a JSON object with `method`, `id` and `payload_size`, or lacks what its method needs.
    #[error("the header of the frame is not a header of this protocol")]
    Header,
}

impl FrameError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Preamble => "proto.twilsock.preamble",
            Self::TooLong => "proto.twilsock.too_long",
            Self::Length => "proto.twilsock.length",
            Self::Header => "proto.twilsock.header",
        }
    }
}

/// What every header has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Lead<'a> {
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
    pub(super) id: String,
    #[serde(default)]
    pub(super) payload_size: usize,
    #[serde(default)]
    pub(super) payload_type: Option<String>,
}

/// A frame in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) lead: Lead<'a>,
    /// The whole header again, for what its method adds.
    pub(super) header: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// Takes a frame apart.
///
/// # Errors
///
/// `proto.twilsock.preamble`, `.too_long`, `.length`, `.header`.
pub(super) fn decode(bytes: &[u8]) -> Result<Parts<'_>, FrameError> {
    let rest = bytes.strip_prefix(PROTOCOL).ok_or(FrameError::Preamble)?;
    let digits = rest.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits > MAX_DIGITS {
        return Err(FrameError::TooLong);
    }
    let (number, rest) = rest.split_at_checked(digits).ok_or(FrameError::Preamble)?;
    let length: usize =
        str::from_utf8(number).ok().and_then(|number| number.parse().ok()).ok_or(FrameError::Preamble)?;
    if length > MAX_HEADER_BYTES {
        return Err(FrameError::TooLong);
    }
    let rest = rest.strip_prefix(BREAK).ok_or(FrameError::Preamble)?;
    let (header, rest) = rest.split_at_checked(length).ok_or(FrameError::Length)?;
    let payload = rest.strip_prefix(BREAK).ok_or(FrameError::Length)?;
    let lead: Lead<'_> = serde_json::from_slice(header).map_err(|_| FrameError::Header)?;
    if lead.payload_size > MAX_PAYLOAD_BYTES {
        return Err(FrameError::TooLong);
    }
    if lead.payload_size != payload.len() {
        return Err(FrameError::Length);
    }
    Ok(Parts { lead, header, payload })
}

#[derive(Serialize)]
struct Written<'a, H> {
    method: &'a str,
    id: &'a str,
    payload_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_type: Option<&'a str>,
    #[serde(flatten)]
    rest: &'a H,
}

/// Puts a frame together.
pub(super) fn encode<H: Serialize>(
    method: &str,
    id: &str,
    rest: &H,
    payload_type: Option<&str>,
    payload: &[u8],
) -> Vec<u8> {
    let header = Written { method, id, payload_size: payload.len(), payload_type, rest };
    // Every header is texts, numbers, lists and maps with text keys: there is nothing that cannot be written.
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let mut frame = Vec::with_capacity(PROTOCOL.len() + MAX_DIGITS + 2 * BREAK.len() + header.len() + payload.len());
    frame.extend_from_slice(PROTOCOL);
    frame.extend_from_slice(header.len().to_string().as_bytes());
    frame.extend_from_slice(BREAK);
    frame.extend_from_slice(&header);
    frame.extend_from_slice(BREAK);
    frame.extend_from_slice(payload);
    frame
}

/// What a method adds to the lead, read from the same header.
pub(super) fn rest<'a, T: Deserialize<'a>>(header: &'a [u8]) -> Result<T, FrameError> {
    serde_json::from_slice(header).map_err(|_| FrameError::Header)
}
