//! Markdown, by the rules of `CommonMark` with tables.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::block::{Block, Blocks};

/// The blocks of a page. HTML in it is left out.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::default();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Text(text) | Event::Code(text) => blocks.text(&text),
            Event::SoftBreak | Event::HardBreak => blocks.text(" "),
            Event::End(TagEnd::Heading(level)) => blocks.end_heading(depth(level)),
            Event::End(TagEnd::TableCell) => blocks.text(" | "),
            Event::Start(Tag::Heading { .. } | Tag::List(_) | Tag::Item)
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::TableHead | TagEnd::TableRow)
            | Event::Rule => blocks.end(),
            _ => {}
        }
    }
    blocks.into_blocks()
}

const fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_lists_and_tables_are_told_apart() {
        let told = blocks("# Shop\n\nWe are *open*\nnow.\n\n- tea\n- cake\n\n| a | b |\n|---|---|\n| 1 | 2 |\n");
        let paragraph = |text: &str| Block::Paragraph(text.to_owned());
        let expected = [
            Block::Heading(1, "Shop".to_owned()),
            paragraph("We are open now."),
            paragraph("tea"),
            paragraph("cake"),
            paragraph("a | b |"),
            paragraph("1 | 2 |"),
        ];
        assert_eq!(told, expected);
    }
}
