//! Documents that were taken in, by collection.

use jiff::Timestamp;
use sqlx::FromRow;

use super::passages::{NewPassage, Shelf, replace};
use super::{PassageKind, scope_of_collection};
use crate::store::{new_id, now_ms, timestamp};
use crate::{Store, StoreError};

/// Documents that are listed at once.
const MAX_LISTED: i64 = 1_000;

/// A document to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// Where it belongs.
    pub collection: String,
    /// What it is called; one of the same title in the collection is replaced.
    pub title: String,
    /// Its media type.
    pub content_type: String,
    /// SHA-256 of its content, in hexadecimal.
    pub hash: String,
    /// Of its content, in bytes.
    pub size: u64,
}

/// A document that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Its name.
    pub id: String,
    /// Where it belongs.
    pub collection: String,
    /// What it is called.
    pub title: String,
    /// Its media type.
    pub content_type: String,
    /// SHA-256 of its content, in hexadecimal.
    pub hash: String,
    /// Of its content, in bytes.
    pub size: u64,
    /// How many passages it has.
    pub passages: u64,
    /// When it was first taken in.
    pub created_at: Timestamp,
    /// When its content last changed.
    pub updated_at: Timestamp,
}

/// A collection.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct CollectionRow {
    /// Its name.
    pub collection: String,
    /// How many documents it has.
    pub documents: i64,
    /// How many passages they have.
    pub passages: i64,
}

#[derive(FromRow)]
struct Row {
    id: String,
    collection: String,
    title: String,
    content_type: String,
    hash: String,
    size: i64,
    passages: i64,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<Row> for DocumentRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            collection: row.collection,
            title: row.title,
            content_type: row.content_type,
            hash: row.hash,
            size: row.size.unsigned_abs(),
            passages: row.passages.unsigned_abs(),
            created_at: timestamp(row.created_at, "document.created_at")?,
            updated_at: timestamp(row.updated_at, "document.updated_at")?,
        })
    }
}

macro_rules! select_documents {
    ($rest:literal) => {
        concat!(
            "SELECT id, collection, title, content_type, hash, size, passages, created_at, updated_at FROM document ",
            $rest
        )
    };
}

impl Store {
    /// Takes a document in, in the place of one of the same title.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// It may have been taken in; taking it in again is harmless.
    pub async fn put_document(
        &self,
        document: &NewDocument,
        passages: &[NewPassage],
    ) -> Result<DocumentRow, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let row: Row = sqlx::query_as(
            "INSERT INTO document (id, collection, title, content_type, hash, size, passages, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
             ON CONFLICT (collection, title) DO UPDATE SET
                 content_type = excluded.content_type, hash = excluded.hash, size = excluded.size,
                 passages = excluded.passages, updated_at = excluded.updated_at
             RETURNING id, collection, title, content_type, hash, size, passages, created_at, updated_at",
        )
        .bind(new_id())
        .bind(&document.collection)
        .bind(&document.title)
        .bind(&document.content_type)
        .bind(&document.hash)
        .bind(i64::try_from(document.size).unwrap_or(i64::MAX))
        .bind(i64::try_from(passages.len()).unwrap_or(i64::MAX))
        .bind(now_ms())
        .fetch_one(&mut *transaction)
        .await?;
        let shelf = Shelf {
            kind: PassageKind::Document,
            source_id: &row.id,
            contact_id: None,
            scope: scope_of_collection(&document.collection),
            keep_ms: None,
        };
        replace(&mut transaction, &shelf, passages).await?;
        transaction.commit().await?;
        row.try_into()
    }

    /// A document by its title.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn document_titled(&self, collection: &str, title: &str) -> Result<Option<DocumentRow>, StoreError> {
        let row: Option<Row> = sqlx::query_as(select_documents!("WHERE collection = $1 AND title = $2"))
            .bind(collection)
            .bind(title)
            .fetch_optional(&self.reader)
            .await?;
        row.map(DocumentRow::try_from).transpose()
    }

    /// Documents of a collection by title: at most 1,000, behind the title `after`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn documents(&self, collection: &str, after: Option<&str>) -> Result<Vec<DocumentRow>, StoreError> {
        let sql = select_documents!("WHERE collection = $1 AND ($2 IS NULL OR title > $2) ORDER BY title LIMIT $3");
        let rows: Vec<Row> =
            sqlx::query_as(sql).bind(collection).bind(after).bind(MAX_LISTED).fetch_all(&self.reader).await?;
        rows.into_iter().map(DocumentRow::try_from).collect()
    }

    /// The collections that have documents, by name: at most 1,000.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn collections(&self) -> Result<Vec<CollectionRow>, StoreError> {
        let sql = "SELECT collection, count(*) AS documents, sum(passages) AS passages FROM document
                   GROUP BY collection ORDER BY collection LIMIT $1";
        Ok(sqlx::query_as(sql).bind(MAX_LISTED).fetch_all(&self.reader).await?)
    }

    /// Takes a document out, by its id or its title; with neither, the whole collection. Returns how many.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been taken out; doing it again is harmless.
    pub async fn remove_documents(&self, collection: &str, document: Option<&str>) -> Result<u64, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let gone: Vec<String> = sqlx::query_scalar(
            "DELETE FROM document WHERE collection = $1 AND ($2 IS NULL OR id = $2 OR title = $2) RETURNING id",
        )
        .bind(collection)
        .bind(document)
        .fetch_all(&mut *transaction)
        .await?;
        for id in &gone {
            sqlx::query("DELETE FROM passage WHERE source_id = $1").bind(id).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(gone.len() as u64)
    }
}
