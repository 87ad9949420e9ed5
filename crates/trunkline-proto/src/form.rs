//! `application/x-www-form-urlencoded`, as webhooks carry it.
//!
//! Order and repeated names are kept, because a signature covers every value. A broken encoding is an error and never
//! a replacement character: a value that was silently changed would no longer be the value that was signed.
//!
//! Not here: which parameters an event needs.
//!
//! Source: WHATWG URL standard, section 5.1, without its leniency towards broken input.

/// The longest body that is decoded, in bytes. A Conversations message body is at most 32 KB (Twilio's limits page).
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The largest number of parameters that is decoded. Twilio's largest documented webhook has fewer than 60.
pub const MAX_PARAMETERS: usize = 200;

/// Why a body was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// The body is longer than [`MAX_BODY_BYTES`].
    #[error("the form is longer than {MAX_BODY_BYTES} bytes")]
    TooLong,
    /// The body has more than [`MAX_PARAMETERS`] parameters.
    #[error("the form has more than {MAX_PARAMETERS} parameters")]
    TooManyParameters,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the form has a broken percent encoding")]
    BrokenPercent,
    /// A name or a value is not UTF-8.
    #[error("the form is not UTF-8")]
    NotUtf8,
}

impl FormError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "proto.form.too_long",
            Self::TooManyParameters => "proto.form.too_many_parameters",
            Self::BrokenPercent => "proto.form.broken_percent",
            Self::NotUtf8 => "proto.form.not_utf8",
        }
    }
}

/// Decodes a form body or a query string (without its `?`) into names and values, in the order received.
///
/// Empty pieces between `&` are skipped; a piece without `=` is a name with an empty value; only the first `=` splits.
///
/// # Errors
///
/// `proto.form.too_long`, `proto.form.too_many_parameters`, `proto.form.broken_percent`, `proto.form.not_utf8`.
pub fn decode(body: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(FormError::TooLong);
    }
    let mut parameters = Vec::with_capacity(USUAL_PARAMETERS);
    for piece in body.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        if parameters.len() == MAX_PARAMETERS {
            return Err(FormError::TooManyParameters);
        }
        let mut halves = piece.splitn(2, |byte| *byte == b'=');
        let name = decode_text(halves.next().unwrap_or_default())?;
        let value = decode_text(halves.next().unwrap_or_default())?;
        parameters.push((name, value));
    }
    Ok(parameters)
}

fn decode_text(encoded: &[u8]) -> Result<String, FormError> {
    let mut text = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        text.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(nibble), rest.next().and_then(nibble)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(FormError::BrokenPercent),
            },
            other => other,
        });
    }
    String::from_utf8(text).map_err(|_| FormError::NotUtf8)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Room that is made at first; most webhooks have fewer parameters.
const USUAL_PARAMETERS: usize = 32;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn check(body: &str, expect: Result<&[(&str, &str)], FormError>) {
        let expect = expect.map(|pairs| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        assert_eq!(decode(body.as_bytes()), expect, "{body:?}");
    }

    #[test]
    fn names_and_values_are_decoded_in_order() {
        check("", Ok(&[]));
        check("a=1&b=2", Ok(&[("a", "1"), ("b", "2")]));
        check("b=2&a=1&b=1", Ok(&[("b", "2"), ("a", "1"), ("b", "1")]));
        check("Body=Hello%2C+agent+%26+friends+%3D+100%25", Ok(&[("Body", "Hello, agent & friends = 100%")]));
        check("Body=Gr%C3%BCezi+%F0%9F%91%8B", Ok(&[("Body", "Grüezi 👋")]));
        check("a=b=c&&d&=e&f=", Ok(&[("a", "b=c"), ("d", ""), ("", "e"), ("f", "")]));
        check("a=++x++", Ok(&[("a", "  x  ")]));
    }

    #[test]
    fn broken_encodings_are_errors() {
        for body in ["a=%", "a=%2", "a=%zz", "%=1", "a=%2g", "a=%+1"] {
            check(body, Err(FormError::BrokenPercent));
        }
        for body in ["a=%ff", "a=%C3", "%80=1"] {
            check(body, Err(FormError::NotUtf8));
        }
        assert_eq!(decode(b"a=\xff"), Err(FormError::NotUtf8));
    }

    #[test]
    fn the_limits_hold() {
        let longest = "a".repeat(MAX_BODY_BYTES);
        assert!(decode(longest.as_bytes()).is_ok());
        assert_eq!(decode((longest + "a").as_bytes()), Err(FormError::TooLong));

        let most = "a=1&".repeat(MAX_PARAMETERS);
        assert_eq!(decode(most.as_bytes()).map(|p| p.len()), Ok(MAX_PARAMETERS));
        assert_eq!(decode((most + "a=1").as_bytes()), Err(FormError::TooManyParameters));
    }

    fn encode(pairs: &[(String, String)]) -> String {
        let mut body = String::new();
        for (name, value) in pairs {
            for (text, end) in [(name, '='), (value, '&')] {
                for byte in text.bytes() {
                    write!(body, "%{byte:02X}").unwrap();
                }
                body.push(end);
            }
        }
        body
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(pairs in prop::collection::vec((".{0,12}", ".{0,40}"), 0..20)) {
            prop_assert_eq!(decode(encode(&pairs).as_bytes()), Ok(pairs));
        }

        #[test]
        fn decoding_never_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&body).map_or(true, |parameters| parameters.len() <= MAX_PARAMETERS));
        }
    }
}
