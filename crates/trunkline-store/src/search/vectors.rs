//! Vectors of passages: which passages wait for one, and putting them in.
//!
//! A passage tells by which model it was embedded, in the transaction that puts its vector in. Everything else waits:
//! what is new, and what another model has embedded. A vector goes with its passage, whoever takes that out.

use std::fmt;

use trunkline_core::Pii;

use crate::store::now_ms;
use crate::{Store, StoreError};

/// Numbers that a vector may have.
pub const MAX_DIMENSIONS: usize = 4_096;
/// Marks of other models that are taken off at once.
const UNMARKED_AT_ONCE: i64 = 2_000;

/// What makes vectors that can be compared with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorModel {
    /// The model's name.
    pub name: String,
    /// How many numbers its vectors have.
    pub dimensions: usize,
}

impl VectorModel {
    /// As it stands in the table.
    pub(super) fn key(&self) -> String {
        format!("{}#{}", self.name, self.dimensions)
    }
}

/// What somebody's words mean, to be searched for.
#[derive(Clone, PartialEq)]
pub struct Meaning {
    /// The model that made it. Only vectors of the same one are compared.
    pub model: VectorModel,
    /// Its numbers.
    pub vector: Vec<f32>,
    /// How near a passage must be, as the cosine: between -1 and 1.
    pub least: f32,
}

/// `Debug` shows the model: words can be guessed from their vector.
impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meaning").field("model", &self.model).finish_non_exhaustive()
    }
}

/// A passage that has no vector of the present model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unembedded {
    /// Its name.
    pub id: String,
    /// Where in its source it stands, in words.
    pub title: Pii<String>,
    /// What it says.
    pub text: Pii<String>,
}

impl Store {
    /// Lets passages wait that another model than this one has embedded: some of them. Returns how many; until it
    /// returns 0 there are more.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn await_vectors(&self, model: &VectorModel) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE passage SET embedded_by = NULL WHERE seq IN (
                 SELECT seq FROM passage WHERE embedded_by < $1 UNION ALL
                 SELECT seq FROM passage WHERE embedded_by > $1 LIMIT $2)",
        )
        .bind(model.key())
        .bind(UNMARKED_AT_ONCE)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// Passages that wait for a vector, the newest first: at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn unembedded(&self, limit: u32) -> Result<Vec<Unembedded>, StoreError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT id, title, text FROM passage
             WHERE embedded_by IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY seq DESC LIMIT $2",
        )
        .bind(now_ms())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        let read = |(id, title, text)| Unembedded { id, title: Pii::new(title), text: Pii::new(text) };
        Ok(rows.into_iter().map(read).collect())
    }

    /// How many passages wait for a vector: those that [`unembedded`](Self::unembedded) lists.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn unembedded_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM passage WHERE embedded_by IS NULL AND (expires_at IS NULL OR expires_at > $1)",
        )
        .bind(now_ms())
        .fetch_one(&self.reader)
        .await?;
        Ok(count.unsigned_abs())
    }

    /// Puts vectors of passages in, in the place of those that they have. A passage that is gone stays gone. One without
    /// a vector, or with one that has no direction or other dimensions, waits no more and is found by its words alone.
    /// Returns how many vectors were put in.
    ///
    /// # Errors
    /// `store.unavailable`; then all of them still wait.
    ///
    /// # Cancel safety
    /// They may have been put in; doing it again is harmless.
    pub async fn put_vectors(
        &self,
        model: &VectorModel,
        vectors: &[(String, Option<Vec<f32>>)],
    ) -> Result<u64, StoreError> {
        let key = model.key();
        let mut put = 0;
        let mut transaction = self.writer.begin().await?;
        for (passage, vector) in vectors {
            let known = sqlx::query("UPDATE passage SET embedded_by = $2 WHERE id = $1")
                .bind(passage)
                .bind(&key)
                .execute(&mut *transaction)
                .await?;
            if known.rows_affected() == 0 {
                continue;
            }
            sqlx::query("DELETE FROM passage_vector WHERE passage_id = $1")
                .bind(passage)
                .execute(&mut *transaction)
                .await?;
            let vector = vector.as_deref().filter(|vector| vector.len() == model.dimensions).and_then(normalised);
            if let Some(vector) = vector {
                sqlx::query("INSERT INTO passage_vector (passage_id, vector) VALUES ($1, $2)")
                    .bind(passage)
                    .bind(to_bytes(&vector))
                    .execute(&mut *transaction)
                    .await?;
                put += 1;
            }
        }
        transaction.commit().await?;
        Ok(put)
    }
}

/// The same direction with the length 1; `None` if there is no direction.
pub(super) fn normalised(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    if !length.is_normal() || vector.len() > MAX_DIMENSIONS {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 1")]
    Some(vector.iter().map(|number| (f64::from(*number) / length) as f32).collect())
}

/// The cosine of two vectors of length 1.
pub(super) fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

pub(super) fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(super) fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_direction_is_no_vector() {
        assert_eq!(normalised(&[3.0, 4.0]), Some(vec![0.6, 0.8]));
        for none in [vec![0.0, 0.0], vec![], vec![f32::NAN, 1.0], vec![f32::INFINITY], vec![1.0; MAX_DIMENSIONS + 1]] {
            assert_eq!(normalised(&none), None);
        }
        assert_eq!(from_bytes(&to_bytes(&[0.25, -1.0])), [0.25, -1.0]);
        assert!((cosine(&[0.6, 0.8], &[0.8, 0.6]) - 0.96).abs() < 1e-6);
    }
}
