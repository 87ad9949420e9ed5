//! Percent-decoding of a URL's parts.

/// The text behind `%41` and its like, or nothing if it is broken or not UTF-8. A `+` stays a `+`.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_text_and_broken_ones_nothing() {
        assert_eq!(decode("whatsapp%3A%2b1555"), Some("whatsapp:+1555".to_owned()));
        assert_eq!(decode("+1555"), Some("+1555".to_owned()));
        for broken in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
