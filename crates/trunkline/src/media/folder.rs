//! The folder of files: each under the hash of its content.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::sniff;

/// Its name in the data folder.
const NAME: &str = "media";
/// Digits of a hash.
const HASH_LEN: usize = 64;

/// The folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MediaFolder(Arc<Path>);

impl MediaFolder {
    /// The folder in the data folder; it is made when the first file comes.
    pub fn within(data_dir: &Path) -> Self {
        Self(data_dir.join(NAME).into())
    }

    /// Where the file with this hash is, if it is kept.
    pub fn path(&self, hash: &str) -> PathBuf {
        self.0.join(hash.get(..2).unwrap_or("__")).join(hash)
    }

    /// Whether this content is kept already.
    pub(crate) async fn has(&self, bytes: Bytes) -> bool {
        let folder = self.clone();
        let known = tokio::task::spawn_blocking(move || folder.path(&hash_of(&bytes)).is_file());
        known.await.unwrap_or(false)
    }

    /// Keeps a file, on disk when this returns, and tells its hash.
    ///
    /// # Errors
    /// When it cannot be written.
    ///
    /// # Cancel safety
    /// It may have been kept; keeping it again is harmless.
    pub async fn keep(&self, bytes: Bytes) -> io::Result<String> {
        let folder = self.clone();
        tokio::task::spawn_blocking(move || folder.write(&bytes)).await.map_err(io::Error::other)?
    }

    /// The content of a file and its media type; `None` if it is not there, or is none that can be sent.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn read(&self, hash: &str) -> Option<(Bytes, &'static str)> {
        let path = self.path(hash);
        let read = tokio::task::spawn_blocking(move || fs::read(path)).await.ok()?.ok()?;
        let (_, content_type) = sniff(&read)?;
        Some((read.into(), content_type))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<String> {
        let hash = hash_of(bytes);
        let path = self.path(&hash);
        if path.metadata().is_ok_and(|known| known.len() == bytes.len() as u64) {
            return Ok(hash);
        }
        let folder = path.parent().unwrap_or(&self.0);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let unfinished = folder.join(format!("{hash}.{:016x}", rand::random::<u64>()));
        let written = write_new(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, &path));
        if let Err(error) = written {
            drop(fs::remove_file(&unfinished));
            return Err(error);
        }
        File::open(folder)?.sync_all()?;
        Ok(hash)
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn hash_of(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let (high, low) = digest.split_at(16);
    let number = |half: &[u8]| half.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{:032x}{:032x}", number(high), number(low))
}

/// Whether a text can be the name of a file.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == HASH_LEN && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_content_is_kept_once() {
        let data = tempfile::tempdir().unwrap();
        let folder = MediaFolder::within(data.path());
        let hash = folder.keep(Bytes::from_static(b"abc")).await.unwrap();
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(is_hash(&hash) && !is_hash("../../etc/passwd") && !is_hash(&hash.to_uppercase()));
        assert_eq!(folder.keep(Bytes::from_static(b"abc")).await.unwrap(), hash);
        assert_eq!(fs::read(folder.path(&hash)).unwrap(), b"abc");
        assert_eq!(
            fs::read_dir(folder.path(&hash).parent().unwrap()).unwrap().count(),
            1,
            "nothing unfinished is left"
        );
    }
}
