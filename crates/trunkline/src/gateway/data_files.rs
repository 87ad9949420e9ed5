//! The files that were opened at the start, and whether they are still the ones in the folder.
//!
//! A database whose file was removed goes on to work, for a process that holds it open; everything that it takes is
//! gone with the process.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::edge::Readiness;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where files were when they were opened, and which ones.
#[derive(Clone)]
pub(super) struct DataFiles(Vec<(PathBuf, FileId)>);

/// Device and inode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl DataFiles {
    /// Remembers the files `names` of `folder`, which are open by now.
    ///
    /// # Errors
    /// When one is not there any more.
    pub(super) fn opened(folder: &Path, names: &[&str]) -> io::Result<Self> {
        let known = |name| {
            let path = folder.join(name);
            identify(&path).map(|id| (path, id))
        };
        names.iter().map(known).collect::<io::Result<_>>().map(Self)
    }

    /// What is wrong with the first file that is not where it was; `None` when all are.
    pub(super) fn trouble(&self) -> Option<String> {
        self.0.iter().find_map(|(path, id)| {
            let what = match identify(path) {
                Ok(found) if found == *id => return None,
                Ok(_) => "was replaced".to_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was removed".to_owned(),
                Err(error) => format!("cannot be found: {error}"),
            };
            Some(format!("{} {what} while the gateway runs; start the gateway again", path.display()))
        })
    }
}

/// Looks again and again, until it is dropped.
pub(super) async fn watch(files: DataFiles, readiness: Readiness) {
    loop {
        let looked = files.clone();
        match tokio::task::spawn_blocking(move || looked.trouble()).await {
            Ok(Some(trouble)) => {
                if readiness.data_lost(&trouble) {
                    tracing::error!(trouble, "the data folder was changed; texts are refused");
                }
            }
            Ok(None) => readiness.data_is_there(),
            Err(error) => tracing::warn!(%error, "the data folder could not be looked at"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn identify(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|data| FileId(data.dev(), data.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_and_replaced_files_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        assert!(DataFiles::opened(folder.path(), &["a.db"]).is_err());
        fs::write(&path, "1").unwrap();
        let files = DataFiles::opened(folder.path(), &["a.db"]).unwrap();
        fs::write(&path, "2").unwrap();
        assert_eq!(files.trouble(), None);
        fs::write(folder.path().join("b.db"), "1").unwrap();
        fs::rename(folder.path().join("b.db"), &path).unwrap();
        assert!(files.trouble().unwrap().contains("a.db was replaced"));
        fs::remove_file(&path).unwrap();
        assert!(files.trouble().unwrap().contains("a.db was removed"));
    }
}
