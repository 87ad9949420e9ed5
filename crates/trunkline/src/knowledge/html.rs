//! HTML, by the tokenizer of the standard: words as a reader sees them. No tree is built, so that no nesting is too deep.

use html5gum::{Token, Tokenizer};

use super::block::{Block, Blocks};

/// Elements whose content is not read.
const SILENT: &[&[u8]] = &[b"script", b"style", b"noscript", b"template", b"svg", b"head", b"nav", b"iframe"];
/// Elements that stand in a line.
const INLINE: &[&[u8]] = &[
    b"a", b"abbr", b"b", b"bdi", b"cite", b"code", b"em", b"font", b"i", b"img", b"kbd", b"label", b"mark", b"q", b"s",
    b"small", b"span", b"strong", b"sub", b"sup", b"time", b"u", b"var", b"wbr",
];

/// The blocks of a page.
pub(super) fn blocks(html: &str) -> Vec<Block> {
    let mut blocks = Blocks::default();
    // Which silent element is open, and how often.
    let mut silent: Option<(Vec<u8>, usize)> = None;
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name: &[u8] = &tag.name;
                if let Some((open, depth)) = &mut silent {
                    *depth += usize::from(open.as_slice() == name && !tag.self_closing);
                } else if SILENT.contains(&name) && !tag.self_closing {
                    silent = Some((name.to_vec(), 1));
                } else if name == b"br" {
                    blocks.text(" ");
                } else if matches!(name, b"td" | b"th") {
                    blocks.text(" | ");
                } else if !INLINE.contains(&name) {
                    blocks.end();
                }
            }
            Token::EndTag(tag) => {
                let name: &[u8] = &tag.name;
                if let Some((open, depth)) = &mut silent {
                    *depth -= usize::from(open.as_slice() == name);
                    if *depth == 0 {
                        silent = None;
                    }
                } else if let [b'h', level @ b'1'..=b'6'] = name {
                    blocks.end_heading(level - b'0');
                } else if !INLINE.contains(&name) && !matches!(name, b"td" | b"th") {
                    blocks.end();
                }
            }
            Token::String(text) if silent.is_none() => blocks.text(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    blocks.into_blocks()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_a_person_reads_it() {
        let page = "<!doctype html><head><title>x</title><style>p{}</style></head><body><h1>Our <b>shop</b></h1>
            <script>var a = '<p>no</p>';</script><p>Open &amp; <i>warm</i>.<p>Second<table><tr><td>a<td>b</table>
            <nav><a>Home</a></nav></body>";
        let paragraph = |text: &str| Block::Paragraph(text.to_owned());
        let expected = [
            Block::Heading(1, "Our shop".to_owned()),
            paragraph("Open & warm."),
            paragraph("Second"),
            paragraph("| a | b"),
        ];
        assert_eq!(blocks(page), expected);
        assert_eq!(blocks(&"<div>".repeat(200_000)), []);
        assert_eq!(blocks("</script></p><"), [paragraph("<")]);
    }
}
