//! The index of what can be searched: passages of documents, of calls and of conversations.
//!
//! A passage of a call or a conversation belongs to a person, and no search finds it that is not for that person or for
//! all of them. Each passage carries words that name its kind, and its collection or its person; they are searched for
//! with the rest, so that what others have said costs nothing. Passages are ranked by BM25.
//!
//! Where a model makes vectors of passages (`vectors`), they are found by what they mean too (`near`), and both lists
//! become one (`fuse`). Without vectors the words alone decide.

mod codes;
mod documents;
mod excerpt;
mod find;
mod fuse;
mod near;
mod passages;
mod query;
mod sources;
mod vectors;

pub(crate) use codes::Codes;
pub use documents::{CollectionRow, DocumentRow, NewDocument};
pub use excerpt::{best_sentences, coverage};
pub use find::{Found, MAX_FOUND, Scope, Search};
pub use fuse::fuse;
pub use passages::{NewPassage, PassageKind};
pub use query::terms;
pub use sources::{Source, Unindexed};
pub use vectors::{MAX_DIMENSIONS, Meaning, Unembedded, VectorModel};

use sqlx::{Sqlite, Transaction};

use crate::StoreError;

/// The word of a collection in the index.
fn scope_of_collection(collection: &str) -> String {
    let hex = collection.bytes().map(|byte| format!("{byte:02x}"));
    std::iter::once("k".to_owned()).chain(hex).collect::<String>() + "x"
}

/// The word of a person in the index.
pub(crate) fn scope_of_contact(contact_id: &str) -> String {
    let letters = contact_id.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    // A last letter that no stem loses.
    std::iter::once('c').chain(letters).chain(std::iter::once('x')).collect()
}

/// Gives passages of conversations and calls to the contact that these have.
pub(crate) async fn follow_sources(
    transaction: &mut Transaction<'_, Sqlite>,
    from: &str,
    into: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE passage SET contact_id = $2, scope = replace(scope, $3, $4)
         WHERE contact_id = $1
           AND (source_id IN (SELECT id FROM conversation WHERE contact_id = $2)
                OR source_id IN (SELECT id FROM call WHERE contact_id = $2))",
    )
    .bind(from)
    .bind(into)
    .bind(scope_of_contact(from))
    .bind(scope_of_contact(into))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The word of a kind in the index.
fn scope_of_kind(kind: PassageKind) -> String {
    format!("kind{}x", kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_single_words_and_differ() {
        assert_eq!(scope_of_contact("0190-AB"), "c0190abx");
        assert_eq!(scope_of_collection("a b"), "k612062x");
        assert_ne!(scope_of_collection("shop"), scope_of_collection("shops"));
    }
}
