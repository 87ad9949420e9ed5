//! A person as the API shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trunkline_core::Pii;
use trunkline_store::{ContactRow, Decision};

pub(super) fn contact(row: &ContactRow) -> Value {
    let address =
        |one: &trunkline_store::ContactAddressRow| json!({ "channel": one.channel, "address": one.address.expose() });
    json!({
        "id": row.id,
        "name": row.name.as_ref().map(Pii::expose),
        "addresses": row.addresses.iter().map(address).collect::<Vec<_>>(),
        "opted_out": row.opted_out,
        "created_at": row.created_at.to_string(),
        "seen_at": row.seen_at.map(|at| at.to_string()),
    })
}

pub(super) fn decisions(rows: &[Decision]) -> Value {
    let decision = |row: &Decision| {
        json!({
            "address": row.address.expose(),
            "sender": row.sender,
            "opted_out": row.opted_out,
            "told_by": row.told_by,
            "changed_at": row.changed_at.to_string(),
        })
    };
    rows.iter().map(decision).collect()
}

/// What is remembered, but for the gateway's own notes.
pub(super) fn memories(memories: &BTreeMap<String, String>) -> Value {
    let of_agents = memories.iter().filter(|(name, _)| !name.starts_with('.'));
    Value::Object(of_agents.map(|(name, value)| (name.clone(), json!(value))).collect())
}
