//! What the store can refuse.

use trunkline_core::Retry;

/// Why the store did not do what was asked. Messages never contain values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be opened, read or written. Nothing was changed.
    #[error("the store cannot be used")]
    Unavailable(#[source] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the tables cannot be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A stored value is not one that this version writes.
    #[error("the column {column} holds a value that this version does not know")]
    Unreadable {
        /// Which column.
        column: &'static str,
    },
    /// A reply was committed for a message that is no longer waiting: someone else has answered it.
    #[error("the message was answered by someone else")]
    AlreadyAnswered,
    /// A person of ours has taken the conversation over: what an agent wanted to say is not said.
    #[error("a person has taken the conversation over")]
    HandedOver,
    /// A command of this id was carried out already, and it said something else or answered other messages: ids are not
    /// used again.
    #[error("a command of this id has said something else, or answered other messages")]
    CommandReused,
    /// A call with the person goes on: they are forgotten when it is over.
    #[error("a call with this person goes on")]
    InCall,
    /// There is no such row.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
}

impl StoreError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "store.unavailable",
            Self::Migration(_) => "store.migration",
            Self::Unreadable { .. } => "store.unreadable",
            Self::AlreadyAnswered => "store.already_answered",
            Self::HandedOver => "store.handed_over",
            Self::CommandReused => "store.command_reused",
            Self::InCall => "store.in_call",
            Self::NotFound { .. } => "store.not_found",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Unavailable(_) | Self::InCall => Retry::After(std::time::Duration::from_secs(1)),
            Self::Migration(_)
            | Self::Unreadable { .. }
            | Self::AlreadyAnswered
            | Self::HandedOver
            | Self::CommandReused
            | Self::NotFound { .. } => Retry::No,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error)
    }
}
