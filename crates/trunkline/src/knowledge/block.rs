//! What every kind of document is made into: headings and paragraphs, in order.

/// Text of one document, in bytes; more is refused.
pub(super) const MAX_TEXT_BYTES: usize = 32 << 20;

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// A heading, from 1.
    Heading(u8, String),
    /// A paragraph, a list item, a row of a table.
    Paragraph(String),
}

/// Gathers blocks.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    done: Vec<Block>,
    text: String,
}

impl Blocks {
    /// More of the paragraph that is open.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Ends the paragraph that is open.
    pub(super) fn end(&mut self) {
        if let Some(text) = self.take() {
            self.done.push(Block::Paragraph(text));
        }
    }

    /// What is open is a heading.
    pub(super) fn end_heading(&mut self, level: u8) {
        if let Some(text) = self.take() {
            self.done.push(Block::Heading(level, text));
        }
    }

    fn take(&mut self) -> Option<String> {
        let text = std::mem::take(&mut self.text);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn into_blocks(mut self) -> Vec<Block> {
        self.end();
        self.done
    }
}
