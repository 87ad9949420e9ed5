//! What is wrong with a definition, and where.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// A definition that cannot be used: everything that is wrong with it, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InvalidWorkflow {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl InvalidWorkflow {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "workflow.invalid"
    }
}

/// More problems than this are not told.
const MAX_PROBLEMS: usize = 100;

/// The text of a definition, and what was found wrong with it so far.
pub(super) struct Source<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Source<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// Notes that something is wrong at a byte of the text.
    pub(super) fn problem(&mut self, at: usize, message: impl Into<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.problems.push(Problem { line, column, message: message.into() });
    }

    /// Where a byte of a text value stands. Where the value is not written as it is (it has escapes) that is its
    /// beginning.
    pub(super) fn within(&self, span: &Range<usize>, value: &str, offset: usize) -> usize {
        let written = self.text.get(span.clone()).unwrap_or_default();
        written.find(value).map_or(span.start, |quotes| span.start + quotes + offset)
    }

    pub(super) const fn is_fine(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems, if there are any.
    pub(super) fn finish(&mut self) -> Result<(), InvalidWorkflow> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut problems = std::mem::take(&mut self.problems);
        problems.sort();
        problems.dedup();
        Err(InvalidWorkflow { problems })
    }
}
