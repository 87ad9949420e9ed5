//! Forgetting a person, wherever something of them is: tables, files, recordings, the bus.

use std::io;
use std::path::Path;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_store::{Erasure, StoreError};

use super::{People, codes};
use crate::console::Failure;

impl People {
    /// Forgets a person: first the tables, in one transaction, then what the tables do not hold. What could not be done
    /// of that is done after the next start.
    ///
    /// # Errors
    /// `people.not_found`, `people.in_call`, and those of the store and the bus.
    ///
    /// # Cancel safety
    /// What is left of it is done after the next start.
    pub(super) async fn erase(&self, contact_id: &str) -> Result<Value, Failure> {
        let erasure = self.store.erase_contact(contact_id).await.map_err(|error| match error {
            StoreError::NotFound { .. } => {
                Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, "there is no such person".to_owned())
            }
            StoreError::InCall => {
                let reason = "a call with this person goes on; erase them when it is over".to_owned();
                Failure(StatusCode::CONFLICT, codes::IN_CALL, reason)
            }
            error => error.into(),
        })?;
        self.finish(&erasure).await
    }

    /// Goes on with erasures that an earlier run has begun.
    ///
    /// # Cancel safety
    /// What is left is done after the next start.
    pub(crate) async fn finish_erasures(&self) {
        let left = match self.store.erasures().await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(error.code = error.code(), %error, "erasures that were begun could not be read");
                return;
            }
        };
        for erasure in left {
            if let Err(Failure(_, code, _)) = self.finish(&erasure).await {
                tracing::error!(
                    error.code = code,
                    "an erasure could not be finished; it is tried after the next start"
                );
            }
        }
    }

    async fn finish(&self, erasure: &Erasure) -> Result<Value, Failure> {
        let from_bus = self.bus.erase(&erasure.identifiers).await?;
        let (files, recordings) = self.remove_files(erasure).await;
        // What is still to do names them too, and has to be gone before the files are wiped; that it is to be done does
        // not, so that whoever is killed meanwhile wipes them after the next start.
        self.store.empty_erasure(&erasure.id).await?;
        let is_wiped = self.store.wipe().await?;
        self.store.finish_erasure(&erasure.id).await?;
        tracing::info!(
            conversations = erasure.conversations.len(),
            calls = erasure.calls.len(),
            files,
            recordings,
            envelopes = from_bus.envelopes,
            "a person was erased"
        );
        Ok(json!({
            "contact": erasure.id,
            "conversations": erasure.conversations.len(),
            "calls": erasure.calls.len(),
            "utterances": erasure.utterances,
            "files": files,
            "recordings": recordings,
            "envelopes": from_bus.envelopes,
            "dead_letters": from_bus.dead_letters,
            "wiped": is_wiped && from_bus.is_wiped,
        }))
    }

    /// Removes files that are nobody else's; how many files and recordings those were.
    async fn remove_files(&self, erasure: &Erasure) -> (usize, usize) {
        let (people, erasure) = (self.clone(), erasure.clone());
        let removed = tokio::task::spawn_blocking(move || {
            let files = erasure.files.iter().filter(|hash| is_removed(&people.media.path(hash))).count();
            let recordings = recordings(&people.recordings, &erasure);
            (files, recordings)
        });
        removed.await.unwrap_or_default()
    }
}

/// Removes the recordings of calls: a call that was on hold has several.
fn recordings(folder: &Path, erasure: &Erasure) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let is_theirs = |name: &str| {
        let of_call = |call: &String| name.strip_prefix(call.as_str()).is_some_and(|rest| rest.starts_with('.'));
        erasure.recordings.iter().any(|recording| recording == name) || erasure.calls.iter().any(of_call)
    };
    let theirs = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_theirs));
    theirs.filter(|entry| is_removed(&entry.path())).count()
}

fn is_removed(path: &Path) -> bool {
    match std::fs::remove_file(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => {
            tracing::error!(%error, "a file of an erased person could not be removed");
            false
        }
    }
}
