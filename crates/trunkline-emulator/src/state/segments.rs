//! How many SMS a text takes: 160 characters of GSM 03.38, or 70 of anything else; 153 and 67 where it takes several.

/// Parts of a text; a text without any characters is one.
pub(crate) fn count(body: &str) -> usize {
    let (units, single, joined) = match septets(body) {
        Some(septets) => (septets, 160, 153),
        None => (body.encode_utf16().count(), 70, 67),
    };
    if units <= single { 1 } else { units.div_ceil(joined) }
}

/// A text with its typographic characters replaced by ones of GSM 03.38, as smart encoding does.
pub(crate) fn smart(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    for one in body.chars() {
        match one {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' => text.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201f}' | '\u{2033}' => text.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => text.push('-'),
            '\u{2026}' => text.push_str("..."),
            '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' => text.push(' '),
            '\u{2022}' => text.push('*'),
            other => text.push(other),
        }
    }
    text
}

/// Units of GSM 03.38, if it can say everything in the text. Characters of the extension table take two.
fn septets(body: &str) -> Option<usize> {
    body.chars().try_fold(0_usize, |sum, one| {
        let units = if BASIC.contains(one) {
            1
        } else if EXTENSION.contains(one) {
            2
        } else {
            return None;
        };
        Some(sum.saturating_add(units))
    })
}

const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENSION: &str = "^{}\\[~]|€";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_depend_on_length_and_alphabet() {
        let check = |body: String, expect: usize| assert_eq!(count(&body), expect, "{body}");
        check(String::new(), 1);
        check("a".repeat(160), 1);
        check("a".repeat(161), 2);
        check("a".repeat(306), 2);
        check("a".repeat(307), 3);
        check("€".repeat(80), 1);
        check("€".repeat(81), 2);
        check("ж".repeat(70), 1);
        check("ж".repeat(71), 2);
        // An emoji is two units of UTF-16.
        check("🎉".repeat(35), 1);
        check("🎉".repeat(36), 2);
    }

    #[test]
    fn smart_encoding_saves_segments() {
        assert_eq!(smart("\u{201c}it\u{2019}s\u{201d} \u{2014} \u{2026}"), "\"it's\" - ...");
    }
}
