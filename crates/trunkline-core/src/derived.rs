//! Names that are made from what they name: the same for the same thing, also after a restart.

use sha2::{Digest as _, Sha256};

/// 32 hexadecimal digits, the first 16 bytes of the SHA-256 of `what`.
///
/// ```
/// assert_eq!(trunkline_core::derived_name("abc"), "ba7816bf8f01cfea414140de5dae2223");
/// ```
#[must_use]
pub fn derived_name(what: impl AsRef<[u8]>) -> String {
    let digest: [u8; 32] = Sha256::digest(what).into();
    let head = digest.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{head:032x}")
}
