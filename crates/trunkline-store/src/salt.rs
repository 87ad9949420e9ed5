//! Names of which only a salted hash is kept.

use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use crate::StoreError;

/// The salt of what is kept of people who were forgotten.
const ERASED: &str = "erased";

/// A salted hash of `parts`, in hexadecimal; the same for the same parts, and meaningless in another database.
pub(crate) async fn hash(connection: &mut SqliteConnection, parts: &[&str]) -> Result<Option<String>, StoreError> {
    let salt: Option<String> =
        sqlx::query_scalar("SELECT value FROM salt WHERE name = $1").bind(ERASED).fetch_optional(connection).await?;
    Ok(salt.map(|salt| salted(&salt, parts)))
}

/// As [`hash`], and makes the salt if there is none yet.
pub(crate) async fn make_hash(connection: &mut SqliteConnection, parts: &[&str]) -> Result<String, StoreError> {
    let fresh = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    sqlx::query("INSERT INTO salt (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(ERASED)
        .bind(fresh)
        .execute(&mut *connection)
        .await?;
    let salt: String =
        sqlx::query_scalar("SELECT value FROM salt WHERE name = $1").bind(ERASED).fetch_one(connection).await?;
    Ok(salted(&salt, parts))
}

fn salted(salt: &str, parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    digest.update(salt);
    for part in parts {
        digest.update([0]);
        digest.update(part);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let (high, low) = digest.split_at(16);
    let number = |half: &[u8]| half.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{:032x}{:032x}", number(high), number(low))
}
