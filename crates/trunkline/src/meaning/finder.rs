//! One search, by words and by meaning.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use trunkline_agent::embeddings::Embedder;
use trunkline_core::Pii;
use trunkline_store::{Found, Meaning, Scope, Search, Store, StoreError, VectorModel, fuse};

/// A model, and how it is asked.
#[derive(Clone)]
pub struct ModelOfMeaning {
    /// Makes the vectors.
    pub embedder: Arc<dyn Embedder>,
    /// How near a passage must be to be found by its meaning, as the cosine.
    pub least: f32,
    /// What the model wants before a question.
    pub question_prefix: String,
    /// What the model wants before a passage.
    pub passage_prefix: String,
}

impl ModelOfMeaning {
    /// What its vectors can be compared with: passages with another prefix have other vectors.
    pub(super) fn of_vectors(&self, dimensions: usize) -> VectorModel {
        let name = format!("{} {}", self.embedder.model(), self.passage_prefix);
        VectorModel { name: name.trim_end().to_owned(), dimensions }
    }
}

/// What became of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Sought {
    /// Best first.
    pub found: Vec<Found>,
    /// Whether the meaning counted: `used`; `late` or `failed`, and the words alone decided; `off` without a model.
    pub meaning: &'static str,
}

/// Searches by words, and by meaning where there is a model. Cheap to clone.
#[derive(Clone)]
pub struct Finder {
    store: Store,
    model: Option<ModelOfMeaning>,
}

impl Finder {
    /// Over `store`; without a model the words alone decide.
    pub const fn new(store: Store, model: Option<ModelOfMeaning>) -> Self {
        Self { store, model }
    }

    /// What becomes of the meaning where there is no time for it.
    pub(crate) const fn without_meaning(&self) -> &'static str {
        if self.model.is_some() { "late" } else { "off" }
    }

    /// What these words find in `scopes` together: at most `limit`, without what is of `but`. The model may take
    /// `patience`; what it has not told by then does not count.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn find(
        &self,
        words: &Pii<String>,
        scopes: Vec<Scope>,
        limit: u32,
        but: Option<&str>,
        patience: Duration,
    ) -> Result<Sought, StoreError> {
        let search = |scope| Search { words: words.clone(), scope, limit, but: but.map(str::to_owned) };
        let searches: Vec<_> = scopes.into_iter().map(search).collect();
        let by_meaning = tokio::time::timeout(patience, self.by_meaning(words, &searches));
        let (by_words, by_meaning) = tokio::join!(self.by_words(&searches), by_meaning);
        let mut by_words = by_words?;
        let most = limit as usize;
        let meaning = match by_meaning {
            Ok(Ok(by_meaning)) => return Ok(Sought { found: fuse(by_words, by_meaning, most), meaning: "used" }),
            Ok(Err(meaning)) => meaning,
            Err(_) => self.without_meaning(),
        };
        by_words.truncate(most);
        Ok(Sought { found: by_words, meaning })
    }

    async fn by_words(&self, searches: &[Search]) -> Result<Vec<Found>, StoreError> {
        let mut all = try_join_all(searches.iter().map(|search| self.store.search(search))).await?;
        for (found, search) in all.iter_mut().zip(searches) {
            keep_scope(found, &search.scope);
        }
        let mut all = all.concat();
        if searches.len() > 1 {
            all.sort_by(|one, other| other.coverage.total_cmp(&one.coverage).then(other.score.total_cmp(&one.score)));
        }
        Ok(all)
    }

    /// What is near, or why that is not known: `off` or `failed`.
    async fn by_meaning(&self, words: &Pii<String>, searches: &[Search]) -> Result<Vec<Found>, &'static str> {
        let model = self.model.as_ref().ok_or("off")?;
        let question = Pii::new(format!("{}{}", model.question_prefix, words.expose()));
        let vector = match model.embedder.embed(&[question]).await {
            Ok(mut vectors) => vectors.pop().unwrap_or_default(),
            Err(error) => {
                tracing::debug!(error.code = error.code(), "what is searched for has no vector");
                return Err("failed");
            }
        };
        let meaning = Meaning { model: model.of_vectors(vector.len()), vector, least: model.least };
        let mut all = Vec::new();
        for search in searches {
            match self.store.search_by_meaning(search, &meaning).await {
                Ok(mut found) => {
                    keep_scope(&mut found, &search.scope);
                    all.extend(found);
                }
                Err(error) => {
                    tracing::warn!(error.code = error.code(), "nothing can be found by its meaning");
                    return Err("failed");
                }
            }
        }
        all.sort_by(|one, other| other.score.total_cmp(&one.score));
        Ok(all)
    }
}

/// What a person said is looked at once more.
fn keep_scope(found: &mut Vec<Found>, scope: &Scope) {
    if let Scope::Contact(contact) = scope {
        found.retain(|one| one.contact_id.as_ref() == Some(contact));
    }
}
