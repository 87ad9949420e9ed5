//! Everything that is held of a person, as one document.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use trunkline_store::{ContactRow, ConversationSummary, Store};

use super::{codes, show};
use crate::console::{Failure, message, past_call, said_in_short, summary, tool_calls};
use crate::scheduled::shown as scheduled;

/// Conversations, and calls, of one document.
const MAX_OF_A_KIND: u32 = 5_000;
/// Messages and turns of one document; it is made in memory.
const MAX_UTTERANCES: usize = 50_000;
/// Messages that are read at once.
const PAGE: u32 = 500;

/// # Errors
/// `people.too_much` where it does not fit, and those of the store.
pub(super) async fn export(store: &Store, contact: &ContactRow) -> Result<Value, Failure> {
    let mut utterances = 0;
    let mut conversations = Vec::new();
    let rows = store.conversations_of(&contact.id, MAX_OF_A_KIND).await?;
    let calls_found = store.calls_of(&contact.id, MAX_OF_A_KIND).await?;
    if rows.len() >= MAX_OF_A_KIND as usize || calls_found.len() >= MAX_OF_A_KIND as usize {
        return Err(too_much());
    }
    for row in &rows {
        conversations.push(conversation(store, row, &mut utterances).await?);
    }
    let mut calls = Vec::new();
    for row in &calls_found {
        let turns = store.call_turns(&row.id).await?;
        utterances += turns.len();
        if utterances > MAX_UTTERANCES {
            return Err(too_much());
        }
        let mut shown = past_call(row, &turns);
        if let Value::Object(fields) = &mut shown {
            fields.insert("tools".to_owned(), tool_calls(&store.tool_calls_of_call(&row.id).await?).into());
        }
        calls.push(shown);
    }
    Ok(json!({
        "exported_at": Timestamp::now().to_string(),
        "contact": show::contact(contact),
        "memories": show::memories(&store.memories_of_contact(&contact.id, None).await?),
        "consent": show::decisions(&store.decisions_of(&contact.id).await?),
        "conversations": conversations,
        "calls": calls,
    }))
}

async fn conversation(store: &Store, row: &ConversationSummary, utterances: &mut usize) -> Result<Value, Failure> {
    let id = &row.conversation.id;
    let (mut newest_first, mut before) = (Vec::new(), None::<String>);
    loop {
        let page = store.messages(id, PAGE, before.as_deref()).await?;
        before = page.first().filter(|_| page.len() == PAGE as usize).map(|first| first.id.clone());
        *utterances += page.len();
        if *utterances > MAX_UTTERANCES {
            return Err(too_much());
        }
        newest_first.extend(page.into_iter().rev());
        if before.is_none() {
            break;
        }
    }
    let mut messages = Vec::with_capacity(newest_first.len());
    for row in newest_first.iter().rev() {
        let files = if row.media.is_empty() { Vec::new() } else { store.files_of(&row.id).await? };
        messages.push(message(row, &files));
    }
    let mut shown = summary(row);
    if let Value::Object(fields) = &mut shown {
        fields.insert("messages".to_owned(), messages.into());
        fields.insert("memories".to_owned(), show::memories(&store.memories(id).await?));
        fields.insert("tools".to_owned(), tool_calls(&store.tool_calls(id).await?).into());
        let summary = store.summary_of_conversation(id).await?;
        fields.insert("summary".to_owned(), summary.as_ref().map(said_in_short).unwrap_or_default());
        fields.insert("scheduled".to_owned(), scheduled(&store.scheduled_in(id).await?).into());
    }
    Ok(shown)
}

fn too_much() -> Failure {
    let reason = format!("more than {MAX_UTTERANCES} messages and turns, or {MAX_OF_A_KIND} conversations or calls");
    Failure(StatusCode::PAYLOAD_TOO_LARGE, codes::TOO_MUCH, reason)
}
