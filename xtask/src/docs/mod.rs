//! Documents that are written from the sources, so that they cannot disagree with them.

mod configuration;
mod error_numbers;
mod errors;
mod flags;
mod read;
mod schemas;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::sources::rust_files;

/// A document of the repository.
struct Document {
    /// Path from the root.
    name: String,
    text: String,
}

/// Documents and everything in the sources that keeps them from being written.
struct Written {
    documents: Vec<Document>,
    problems: Vec<String>,
}

/// Writes every document; returns what is wrong with the sources.
pub(crate) fn write(root: &Path) -> Result<Vec<String>> {
    let Written { documents, problems } = documents(root)?;
    if problems.is_empty() {
        for document in documents {
            let path = root.join(&document.name);
            fs::create_dir_all(path.parent().unwrap_or(root)).context("making the folder of the documents")?;
            fs::write(path, document.text).with_context(|| format!("writing {}", document.name))?;
        }
    }
    Ok(problems)
}

/// Lists every document that is not what the sources say, and what is wrong with the sources.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let Written { documents, mut problems } = documents(root)?;
    for document in documents {
        let stored = fs::read_to_string(root.join(&document.name)).unwrap_or_default();
        if stored != document.text {
            problems.push(format!("{}: stale; run `cargo xtask docs` and commit it", document.name));
        }
    }
    Ok(problems)
}

fn documents(root: &Path) -> Result<Written> {
    let files = read::parsed(rust_files(root)?)?;
    let (errors, problems) = errors::document(&files);
    let configuration = configuration::document(&files)?;
    let mut documents = vec![
        Document { name: "docs/errors.md".to_owned(), text: errors },
        Document { name: "docs/configuration.md".to_owned(), text: configuration },
        Document { name: "docs/twilio-errors.md".to_owned(), text: error_numbers::document() },
    ];
    documents.extend(schemas::documents()?);
    Ok(Written { documents, problems })
}
