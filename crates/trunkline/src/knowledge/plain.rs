//! Plain text: paragraphs between empty lines.

use super::block::{Block, Blocks};

/// The blocks of a text. A form feed, as between the pages of a PDF, ends a paragraph too.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::default();
    for line in text.split(['\n', '\u{c}']) {
        if line.trim().is_empty() {
            blocks.end();
        } else {
            blocks.text(line);
            blocks.text(" ");
        }
    }
    blocks.into_blocks()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_part_paragraphs() {
        let told = blocks("One\nline.\r\n\r\n\n Two. \u{c}Three.");
        let expected = ["One line.", "Two. Three."].map(|text| Block::Paragraph(text.to_owned()));
        assert_eq!(told, expected);
    }
}
