//! Searching by meaning: passages whose vectors are near.

use std::collections::HashSet;
use std::sync::PoisonError;

use sqlx::FromRow;

use super::codes::{Known, Loaded};
use super::find::{MARGIN, Row, found};
use super::query::terms;
use super::vectors::{cosine, from_bytes, normalised};
use super::{Found, MAX_FOUND, Meaning, Scope, Search, VectorModel};
use crate::store::now_ms;
use crate::{Store, StoreError};

/// Vectors that are read into memory at once.
const LOADED_AT_ONCE: i64 = 1_000;
/// Vectors that are compared exactly.
const CANDIDATES: usize = 400;
/// Vectors of one person that are compared: the newest. They are so few that no codes are needed.
const OF_A_PERSON: i64 = 1_000;
/// Times that it is looked again, where much of what looked near is gone.
const LOOKS: usize = 4;

#[derive(FromRow)]
struct Candidate {
    id: i64,
    vector: Vec<u8>,
    /// Whether it may be found: its time has not come, and it is not of what is left out.
    is_open: bool,
}

// The model is compared by value: most passages have the same one, and its index would only mislead.
const OF_THESE: &str = "
SELECT v.id, v.vector, (p.expires_at IS NULL OR p.expires_at > $3) AND ($4 IS NULL OR p.source_id <> $4) AS is_open
FROM passage_vector v JOIN passage p ON p.id = v.passage_id
WHERE v.id IN (SELECT value FROM json_each($1)) AND COALESCE(p.embedded_by, '') = $2 LIMIT $5";

const OF_THE_PERSON: &str = "
SELECT v.id, v.vector, (p.expires_at IS NULL OR p.expires_at > $3) AND ($4 IS NULL OR p.source_id <> $4) AS is_open
FROM passage p JOIN passage_vector v ON v.passage_id = p.id
WHERE p.contact_id = $1 AND COALESCE(p.embedded_by, '') = $2 ORDER BY p.seq DESC LIMIT $5";

const PASSAGES: &str = "
SELECT v.id AS vector, p.id, p.kind, p.source_id, d.title AS source, d.collection, p.contact_id, p.title, p.text,
       p.created_at, 0.0 AS rank
FROM passage_vector v JOIN passage p ON p.id = v.passage_id LEFT JOIN document d ON d.id = p.source_id
WHERE v.id IN (SELECT value FROM json_each($1))";

const NEWER: &str = "
SELECT v.id, v.vector, p.kind, d.collection
FROM passage_vector v JOIN passage p ON p.id = v.passage_id LEFT JOIN document d ON d.id = p.source_id
WHERE v.id > $1 AND COALESCE(p.embedded_by, '') = $2 ORDER BY v.id LIMIT $3";

const UP_TO: &str = "
SELECT count(*) FROM passage_vector v JOIN passage p ON p.id = v.passage_id
WHERE v.id <= $1 AND COALESCE(p.embedded_by, '') = $2";

#[derive(FromRow)]
struct Newer {
    id: i64,
    vector: Vec<u8>,
    kind: String,
    collection: Option<String>,
}

#[derive(FromRow)]
struct Near {
    vector: i64,
    #[sqlx(flatten)]
    row: Row,
}

impl Store {
    /// The passages that are nearest to `meaning`, best first, in the same scopes as [`search`](Self::search). Their
    /// score is the cosine.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn search_by_meaning(&self, search: &Search, meaning: &Meaning) -> Result<Vec<Found>, StoreError> {
        let Some(vector) = normalised(&meaning.vector) else { return Ok(Vec::new()) };
        let key = meaning.model.key();
        let candidates = if let Scope::Contact(contact) = &search.scope {
            self.candidates(OF_THE_PERSON, contact, &key, search).await?
        } else {
            self.near(&key, &vector, search).await?
        };
        let score = |one: &Candidate| (one.id, cosine(&from_bytes(&one.vector), &vector));
        let mut near: Vec<_> = candidates.iter().filter(|one| one.is_open).map(score).collect();
        near.retain(|(_, cosine)| *cosine >= meaning.least);
        near.sort_by(|(one_id, one), (other_id, other)| other.total_cmp(one).then(one_id.cmp(other_id)));
        near.truncate((search.limit.min(MAX_FOUND) * MARGIN) as usize);
        let mut found = self.found(&near, search).await?;
        found.truncate(search.limit.min(MAX_FOUND) as usize);
        Ok(found)
    }

    /// Brings what the table has of vectors of `model` into memory; where that has others in the end than the table, all
    /// of them are brought anew. Searches do the former by themselves; done before, it does not hold them up.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was brought stays.
    pub async fn load_vectors(&self, model: &VectorModel) -> Result<(), StoreError> {
        let key = model.key();
        self.load(&key).await?;
        let (known, count) = {
            let codes = self.codes.read().unwrap_or_else(PoisonError::into_inner);
            (codes.known(&key), codes.count(&key))
        };
        let there: i64 = sqlx::query_scalar(UP_TO).bind(known.last).bind(&key).fetch_one(&self.reader).await?;
        if usize::try_from(there) != Ok(count) {
            self.forget_codes();
            self.load(&key).await?;
        }
        Ok(())
    }

    /// Forgets what is in memory of vectors, and what searches are reading just now; they bring it back.
    pub(crate) fn forget_codes(&self) {
        self.codes.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn load(&self, key: &str) -> Result<(), StoreError> {
        while let Some((since, vectors)) = self.newer(key).await? {
            // What cannot be added any more is read again.
            self.codes.write().unwrap_or_else(PoisonError::into_inner).add(key, since, vectors);
        }
        Ok(())
    }

    /// The next vectors that are not in memory, and behind what they come; `None` if there are no more, or no room.
    async fn newer(&self, key: &str) -> Result<Option<(Known, Vec<Loaded>)>, StoreError> {
        let (since, is_full) = {
            let codes = self.codes.read().unwrap_or_else(PoisonError::into_inner);
            (codes.known(key), codes.is_full())
        };
        // The codes of another model are in the way no longer than until the first of this one comes.
        if is_full && since.last > 0 {
            return Ok(None);
        }
        let rows: Vec<Newer> =
            sqlx::query_as(NEWER).bind(since.last).bind(key).bind(LOADED_AT_ONCE).fetch_all(&self.reader).await?;
        let vectors = rows.into_iter().map(|Newer { id, vector, kind, collection }| {
            let vector = from_bytes(&vector);
            Loaded { id, kind, collection, vector }
        });
        let vectors: Vec<_> = vectors.collect();
        Ok((!vectors.is_empty()).then_some((since, vectors)))
    }

    /// What looks near, of everybody or of documents.
    async fn near(&self, key: &str, vector: &[f32], search: &Search) -> Result<Vec<Candidate>, StoreError> {
        self.load(key).await?;
        let is_wanted = |kind: &str, collection: Option<&str>| match &search.scope {
            Scope::Collections(some) => {
                kind == "document" && (some.is_empty() || some.iter().any(|one| Some(one.as_str()) == collection))
            }
            Scope::Kinds(kinds) => kinds.iter().any(|one| one.as_str() == kind),
            Scope::Contact(_) => false,
        };
        let mut looks = 0;
        loop {
            looks += 1;
            let ids = {
                let codes = self.codes.read().unwrap_or_else(PoisonError::into_inner);
                codes.nearest(key, vector, CANDIDATES, is_wanted)
            };
            let there = self.candidates(OF_THESE, &json(&ids), key, search).await?;
            if there.len() == ids.len() {
                return Ok(there);
            }
            let alive: HashSet<i64> = there.iter().map(|one| one.id).collect();
            let gone: HashSet<i64> = ids.iter().copied().filter(|id| !alive.contains(id)).collect();
            self.codes.write().unwrap_or_else(PoisonError::into_inner).forget(&gone);
            // A few that are gone leave enough of the others.
            if looks == LOOKS || gone.len() < CANDIDATES / 4 {
                return Ok(there);
            }
        }
    }

    async fn candidates(
        &self,
        sql: &'static str,
        of: &str,
        key: &str,
        search: &Search,
    ) -> Result<Vec<Candidate>, StoreError> {
        let query = sqlx::query_as(sql).bind(of).bind(key).bind(now_ms()).bind(&search.but).bind(OF_A_PERSON);
        Ok(query.fetch_all(&self.reader).await?)
    }

    /// The passages of these vectors, looked at once more, in their order.
    async fn found(&self, near: &[(i64, f32)], search: &Search) -> Result<Vec<Found>, StoreError> {
        let ids: Vec<i64> = near.iter().map(|(id, _)| *id).collect();
        let mut rows: Vec<Near> = sqlx::query_as(PASSAGES).bind(json(&ids)).fetch_all(&self.reader).await?;
        let terms = terms(search.words.expose());
        let mut all = Vec::with_capacity(rows.len());
        for (id, cosine) in near {
            let Some(at) = rows.iter().position(|row| row.vector == *id) else { continue };
            let mut one = found(rows.swap_remove(at).row, &terms)?;
            one.score = f64::from(*cosine);
            let is_wanted = match &search.scope {
                Scope::Collections(some) => {
                    one.kind.as_str() == "document" && (some.is_empty() || some.contains(&one.collection))
                }
                Scope::Contact(contact) => one.contact_id.as_ref() == Some(contact),
                Scope::Kinds(kinds) => kinds.contains(&one.kind),
            };
            if is_wanted {
                all.push(one);
            }
        }
        Ok(all)
    }
}

/// One parameter however many there are.
fn json(ids: &[i64]) -> String {
    serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned())
}

#[cfg(test)]
mod tests;
