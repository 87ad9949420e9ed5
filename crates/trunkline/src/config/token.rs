//! The console's token: the configured one, or one that is made and kept in the data folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use trunkline_core::Secret;

use super::Console;

/// The file in the data folder.
pub const TOKEN_FILE: &str = "console-token";
/// A token shorter than this could be guessed.
pub(super) const MIN_TOKEN_LEN: usize = 16;

/// The console's token: the configured one, else the one in the data folder, made the first time. One that is too short
/// or no text, say of a disk that was full, is replaced.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn console_token(console: &Console, data_dir: &Path) -> io::Result<Secret> {
    if let Some(token) = &console.token {
        return Ok(token.clone());
    }
    let path = data_dir.join(TOKEN_FILE);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= MIN_TOKEN_LEN => return Ok(Secret::new(text.trim())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
        Ok(_) | Err(_) => tracing::warn!(file = %path.display(), "the console's token is damaged; a new one is made"),
    }
    let token = random_token();
    write_private(data_dir, token.expose())?;
    Ok(token)
}

/// 128 random bits in hexadecimal.
pub fn random_token() -> Secret {
    Secret::new(format!("{:032x}", rand::random::<u128>()))
}

/// Writes the whole file or nothing of it, readable by its owner only.
fn write_private(folder: &Path, text: &str) -> io::Result<()> {
    let draft = folder.join("console-token.new");
    // What an earlier try has left may have been made with other rights.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(TOKEN_FILE))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_a_damaged_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let token = || console_token(&Console { token: None }, folder.path()).unwrap().expose().to_owned();
        let first = token();
        assert_eq!((first.len(), token()), (32, first.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for damaged in [b"".as_slice(), b"short\n", b"\xff\xfe no text at all, but long enough"] {
            fs::write(&path, damaged).unwrap();
            // The remains of a try that was cut off.
            fs::write(folder.path().join("console-token.new"), "half").unwrap();
            let new = token();
            assert_eq!((new.len(), token()), (32, new.clone()));
            assert_ne!(new, first);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_configured_token_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let console = Console { token: Some(Secret::new("a-token-of-the-operator")) };
        assert_eq!(console_token(&console, folder.path()).unwrap().expose(), "a-token-of-the-operator");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
