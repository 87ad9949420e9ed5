//! Searching.

use jiff::Timestamp;
use sqlx::{FromRow, QueryBuilder};
use trunkline_core::Pii;

use super::query::{query, terms};
use super::{PassageKind, coverage, scope_of_collection, scope_of_contact, scope_of_kind};
use crate::store::{now_ms, timestamp};
use crate::{Store, StoreError};

/// The most that one search finds.
pub const MAX_FOUND: u32 = 100;
/// How many times as many as are wanted are looked at, because some may not be for whoever asks.
pub(super) const MARGIN: u32 = 4;

/// Passages that are ranked; terms that would bring more are left to the others.
const MANY: i64 = 2_000;

/// What is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Documents of these collections; of every one if there are none.
    Collections(Vec<String>),
    /// What was said with this person, on any channel.
    Contact(String),
    /// Everything of these kinds, whoever it is of: for operators.
    Kinds(Vec<PassageKind>),
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    /// What is looked for, as somebody typed or said it.
    pub words: Pii<String>,
    /// Where.
    pub scope: Scope,
    /// How many at most, up to [`MAX_FOUND`].
    pub limit: u32,
    /// A conversation or a call that is not searched: the one that goes on.
    pub but: Option<String>,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its name.
    pub id: String,
    /// What it is of.
    pub kind: PassageKind,
    /// The document, the call or the conversation.
    pub source_id: String,
    /// What that is called: a document's title; empty for what was said.
    pub source: String,
    /// The document's collection; empty for what was said.
    pub collection: String,
    /// Whose it is.
    pub contact_id: Option<String>,
    /// Where in its source it stands, in words.
    pub title: Pii<String>,
    /// What it says.
    pub text: Pii<String>,
    /// When it was said, or taken in.
    pub at: Timestamp,
    /// The higher the better; only to be compared within one search. By words it is BM25, by meaning the cosine.
    pub score: f64,
    /// The share of the terms that it has, 0 to 1.
    pub coverage: f64,
}

#[derive(FromRow)]
pub(super) struct Row {
    id: String,
    kind: String,
    source_id: String,
    source: Option<String>,
    collection: Option<String>,
    contact_id: Option<String>,
    title: String,
    text: String,
    created_at: i64,
    rank: f64,
}

const FIND: &str = "
SELECT p.id, p.kind, p.source_id, d.title AS source, d.collection, p.contact_id, p.title, p.text, p.created_at, f.rank
FROM (SELECT rowid, rank FROM passage_words
      WHERE passage_words MATCH $1 AND rank MATCH 'bm25(0.0, 2.0, 1.0)' ORDER BY rank LIMIT $2) f
JOIN passage p ON p.seq = f.rowid
LEFT JOIN document d ON d.id = p.source_id
WHERE (p.expires_at IS NULL OR p.expires_at > $3) AND ($4 IS NULL OR p.contact_id = $4) AND ($5 IS NULL OR p.source_id <> $5)
ORDER BY f.rank LIMIT $6";

impl Store {
    /// The passages that have most of the words, best first. Whatever the words are: what cannot be searched for finds
    /// nothing.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn search(&self, search: &Search) -> Result<Vec<Found>, StoreError> {
        let terms = terms(search.words.expose());
        let (scopes, contact): (Vec<String>, Option<&String>) = match &search.scope {
            Scope::Collections(none) if none.is_empty() => (vec![scope_of_kind(PassageKind::Document)], None),
            Scope::Collections(some) => (some.iter().map(|one| scope_of_collection(one)).collect(), None),
            Scope::Contact(contact) => (vec![scope_of_contact(contact)], Some(contact)),
            Scope::Kinds(kinds) => (kinds.iter().map(|kind| scope_of_kind(*kind)).collect(), None),
        };
        // What one person said is little. Of everything, passages that only have words that many have are not looked at.
        let rare = if contact.is_some() { terms.clone() } else { self.rare(&terms).await? };
        let Some(query) = query(&rare, &scopes) else { return Ok(Vec::new()) };
        let limit = search.limit.min(MAX_FOUND);
        let rows: Vec<Row> = sqlx::query_as(FIND)
            .bind(query)
            .bind(i64::from(limit * MARGIN))
            .bind(now_ms())
            .bind(contact)
            .bind(&search.but)
            .bind(i64::from(limit * MARGIN))
            .fetch_all(&self.reader)
            .await?;
        let mut all = rows.into_iter().map(|row| found(row, &terms)).collect::<Result<Vec<_>, _>>()?;
        if rare.len() < terms.len() {
            all.sort_by(|one, other| other.coverage.total_cmp(&one.coverage).then(other.score.total_cmp(&one.score)));
        }
        all.truncate(search.limit.min(MAX_FOUND) as usize);
        Ok(all)
    }

    /// Those of `terms` that are in few passages, and at least the one that is in the fewest: what has none of these is
    /// not worth its rank.
    async fn rare(&self, terms: &[String]) -> Result<Vec<String>, StoreError> {
        if terms.len() < 2 {
            return Ok(terms.to_vec());
        }
        let mut count = QueryBuilder::new("SELECT column1 FROM (VALUES ");
        for (number, term) in terms.iter().enumerate() {
            count.push(if number > 0 { ", (" } else { "(" });
            count.push("(SELECT count(*) FROM (SELECT 1 FROM passage_words WHERE passage_words MATCH ");
            count.push_bind(query(std::slice::from_ref(term), &[]).unwrap_or_default());
            count.push(" LIMIT ").push_bind(MANY + 1).push(")))");
        }
        count.push(")");
        let counts: Vec<i64> = count.build_query_scalar().fetch_all(&self.reader).await?;
        let mut by_count: Vec<_> = counts.into_iter().zip(terms).collect();
        by_count.sort_by_key(|(count, _)| *count);
        let mut passages = 0;
        let mut rare = Vec::new();
        for (count, term) in by_count {
            passages += count;
            if passages > MANY && !rare.is_empty() {
                break;
            }
            // A word that is nowhere narrows nothing.
            if count > 0 {
                rare.push(term.clone());
            }
        }
        Ok(rare)
    }
}

pub(super) fn found(row: Row, terms: &[String]) -> Result<Found, StoreError> {
    Ok(Found {
        id: row.id,
        kind: PassageKind::from_name(&row.kind)?,
        source_id: row.source_id,
        source: row.source.unwrap_or_default(),
        collection: row.collection.unwrap_or_default(),
        contact_id: row.contact_id,
        coverage: coverage(terms, &format!("{} {}", row.title, row.text)),
        title: Pii::new(row.title),
        text: Pii::new(row.text),
        at: timestamp(row.created_at, "passage.created_at")?,
        score: -row.rank,
    })
}
