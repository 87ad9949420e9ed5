//! The system of record: conversations, messages, calls, contacts, the outbox, what agents remember, and the log of web chats.
//!
//! SQLite in WAL mode. Every query is written in the SQL that SQLite and PostgreSQL share (`$1` parameters,
//! `ON CONFLICT`, `RETURNING`, partial indexes), so that a second engine needs its own migrations and no second set
//! of queries. This crate does not know the bus: an outbox row and a relay join them.
//!
//! Two rules hold the promise of one visible answer:
//!
//! - A reply, the messages that it answers and its outbox row are one transaction ([`Store::commit_reply`]).
//! - An outbox row is sent by whoever moves it from pending to sending ([`Store::claim`]); a row found in sending by
//!   someone else has an unknown outcome and is looked up at the provider first.

mod calls;
mod care;
mod changes;
mod chat;
mod commands;
mod consent;
mod contacts;
mod conversations;
mod cursors;
mod error;
mod inbound;
mod media;
mod memory;
mod messages;
mod outbox;
mod participants;
mod replies;
mod salt;
mod scheduled;
mod search;
mod sent;
mod sessions;
mod store;
mod summaries;
mod templates;
mod tool_calls;
mod tool_journal;
mod wipe;
mod workflows;

pub use calls::{CallRow, CallTurn, NewCall, OUTCOME_LOST};
pub use care::Care;
pub use changes::Removed;
pub use chat::{ChatLine, ChatSide};
pub use commands::{Adopted, NewCommand};
pub use consent::{Consent, HeardKeyword, Keyword};
pub use contacts::{ContactAddressRow, ContactRow, Decision, Erasure, Linked, MAX_CONTACTS};
pub use conversations::{ConversationRow, ConversationSummary};
pub use error::StoreError;
pub use inbound::{Answer, NewInbound, Recorded};
pub use media::{MediaRow, MessageFile};
pub use memory::{MAX_MEMORIES, MAX_MEMORY_BYTES};
pub use messages::{Direction, MessageRow};
pub use outbox::{Claim, OutboxRow, Sent};
pub use participants::{ParticipantRow, Presence};
pub use replies::{Content, Reply, ReplyKind, Say};
pub use scheduled::{MAX_SCHEDULED, NewScheduled, ScheduledRow, Scheduling};
pub use search::{
    CollectionRow, DocumentRow, Found, MAX_DIMENSIONS, MAX_FOUND, Meaning, NewDocument, NewPassage, PassageKind, Scope,
    Search, Source, Unembedded, Unindexed, VectorModel, best_sentences, coverage, fuse, terms,
};
pub use sent::Attempt;
pub use sessions::SessionRow;
pub use store::Store;
pub use summaries::{SummaryRow, UnsummarisedRow};
pub use tool_calls::ToolCallRow;
pub use tool_journal::{NewToolCall, OpenToolCall, ToolCallEnd, ToolPlace};
pub use workflows::{
    DueStep, Fact, NewRun, RunCounts, RunEnd, RunRow, SavedRun, StepChange, StepRow, WaitRow, Waiting,
};
