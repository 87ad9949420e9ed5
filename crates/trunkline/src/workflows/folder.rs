//! Definitions in a folder: one file for each workflow.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use trunkline_agent::workflow::{InvalidWorkflow, MAX_SOURCE_BYTES, Workflow};

/// Files of one folder.
pub(super) const MAX_FILES: usize = 500;

/// A definition that cannot be used.
#[derive(Debug)]
pub struct InvalidFile {
    /// The file.
    pub path: PathBuf,
    /// Everything that is wrong with it.
    pub error: InvalidWorkflow,
}

/// Why workflows could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A folder or a file cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Definitions are wrong.
    #[error("{}", Told(.0))]
    Invalid(Vec<InvalidFile>),
    /// Two files define a workflow of the same name.
    #[error("{} and {} both define the workflow {name}", .first.display(), .second.display())]
    Twice {
        /// The name.
        name: String,
        /// The one file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// There are more files than one gateway loads.
    #[error("{} has more than {MAX_FILES} definitions", .0.display())]
    TooMany(PathBuf),
}

impl FolderError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "workflow.unreadable",
            Self::Invalid(_) => "workflow.invalid_files",
            Self::Twice { .. } => "workflow.defined_twice",
            Self::TooMany(_) => "workflow.too_many_files",
        }
    }

    /// Whether it may go by itself: the system could not read, where everything else is wrong with what was read.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }
}

/// Problems as compilers print them: `file:line:column: what`.
struct Told<'a>(&'a [InvalidFile]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.iter().flat_map(|file| file.error.problems.iter().map(|it| (&file.path, it)));
        if let Some((path, problem)) = lines.next() {
            write!(f, "{}:{problem}", path.display())?;
        }
        lines.try_for_each(|(path, problem)| write!(f, "\n{}:{problem}", path.display()))
    }
}

/// Reads one definition.
///
/// # Errors
/// `workflow.unreadable`, `workflow.invalid_files`.
pub fn read_file(path: &Path) -> Result<Workflow, FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more than is allowed, so that what is too long is told by its length.
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
    Workflow::parse(&text).map_err(|error| FolderError::Invalid(vec![InvalidFile { path: path.to_owned(), error }]))
}

/// Reads every `*.toml` of a folder, and reports everything that is wrong with any of them. What is no regular file,
/// also behind a link, is passed over: nobody knows when reading a pipe would end.
///
/// # Errors
/// [`FolderError`].
pub fn read_folder(folder: &Path) -> Result<Vec<Workflow>, FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        match std::fs::metadata(&path) {
            Ok(about) if !about.is_file() => continue,
            Ok(_) => paths.push(path),
            Err(source) => return Err(FolderError::Unreadable { path, source }),
        }
        if paths.len() > MAX_FILES {
            return Err(FolderError::TooMany(folder.to_owned()));
        }
    }
    paths.sort();
    let (mut found, mut invalid) = (BTreeMap::<String, (PathBuf, Workflow)>::new(), Vec::new());
    for path in paths {
        match read_file(&path) {
            Ok(workflow) => {
                let name = workflow.name.clone();
                if let Some((first, _)) = found.insert(name.clone(), (path.clone(), workflow)) {
                    return Err(FolderError::Twice { name, first, second: path });
                }
            }
            Err(FolderError::Invalid(files)) => invalid.extend(files),
            Err(error) => return Err(error),
        }
    }
    if invalid.is_empty() {
        Ok(found.into_values().map(|(_, workflow)| workflow).collect())
    } else {
        Err(FolderError::Invalid(invalid))
    }
}
