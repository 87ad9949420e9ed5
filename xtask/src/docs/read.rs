//! Reading Rust: which files count, and what their documentation says.

use anyhow::{Context, Result};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::sources::Source;

/// A parsed file of a crate's library or program.
pub(super) struct Parsed {
    /// Path from the root.
    pub(super) name: String,
    pub(super) file: syn::File,
}

impl Parsed {
    /// The crate that it belongs to.
    pub(super) fn crate_name(&self) -> &str {
        self.name.split('/').nth(1).unwrap_or_default()
    }
}

/// Parses what stands under `crates/*/src`, without files of tests.
pub(super) fn parsed(sources: Vec<Source>) -> Result<Vec<Parsed>> {
    let is_shipped = |name: &str| {
        let mut parts = name.split('/');
        parts.next() == Some("crates") && parts.nth(1) == Some("src") && !name.ends_with("/tests.rs")
    };
    sources
        .into_iter()
        .filter(|source| is_shipped(&source.name))
        .map(|Source { name, text }| {
            let file = syn::parse_file(&text).with_context(|| format!("parsing {name}"))?;
            Ok(Parsed { name, file })
        })
        .collect()
}

/// The first paragraph of a documentation comment, on one line; links keep their text only.
pub(super) fn doc(attributes: &[Attribute]) -> String {
    let mut paragraph = Vec::new();
    for line in attributes.iter().filter_map(doc_line) {
        let line = line.trim().to_owned();
        if line.is_empty() {
            break;
        }
        paragraph.push(line);
    }
    without_links(&paragraph.join(" "))
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if pair.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

/// Turns ``[`Name`](target)`` and ``[`Name`]`` into `` `Name` ``.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, behind)) = link.split_once("`]") else { break };
        plain.push_str(before);
        plain.push('`');
        plain.push_str(name);
        plain.push('`');
        rest = match behind.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, behind)) => behind,
            None => behind,
        };
    }
    plain.push_str(rest);
    plain
}

/// Whether an item is compiled for tests only.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// A text as a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documentation_comment_is_read_to_the_end_of_its_first_paragraph() {
        let source = "
            /// Longer than [`MAX`](super::MAX), or
            /// than [`Other`].
            ///
            /// More about that.
            struct A;
        ";
        let item: syn::ItemStruct = syn::parse_str(source).expect("Rust");
        assert_eq!(doc(&item.attrs), "Longer than `MAX`, or than `Other`.");
    }

    #[test]
    fn only_what_is_shipped_is_parsed() {
        let source = |name: &str| Source { name: name.to_owned(), text: String::new() };
        let names = ["crates/a/src/b/c.rs", "crates/a/src/b/tests.rs", "crates/a/tests/src/d.rs", "xtask/src/main.rs"];
        let parsed = parsed(names.map(source).into()).expect("parsed");
        assert_eq!(parsed.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["crates/a/src/b/c.rs"]);
        assert_eq!(parsed[0].crate_name(), "a");
    }
}
