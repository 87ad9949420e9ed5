//! What somebody outside of the lanes wants to be said: checked against the rules of its channel, made a row of the outbox,
//! sent.

use trunkline_store::{Adopted, NewCommand, StoreError};

use super::Context;
use super::gate::{Gate, GateError, Outgoing, gate};
use super::keywords::send_row;
use crate::connectors::ConnectorError;

/// Why a command was not taken. Nothing is said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The rules of its channel forbid it, by this code.
    #[error("the person may not be sent this now")]
    Refused(&'static str),
}

impl From<GateError> for SubmitError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Store(error) => Self::Store(error),
            GateError::Connector(error) => Self::Connector(error),
        }
    }
}

/// Takes a command, once.
///
/// # Cancel safety
/// It may have been taken; taking it again is harmless.
pub(crate) async fn submit(context: &Context, command: &NewCommand) -> Result<Adopted, SubmitError> {
    let speaks = command.says_something();
    // What was taken before is not asked again whether it may be said: it may be out already.
    if speaks && !is_taken(context, &command.outbox_id).await? {
        let known = context.store.conversation_by_external(&command.connector, &command.conversation).await?;
        let row = known.ok_or(StoreError::NotFound { what: "conversation" })?;
        let outgoing = Outgoing {
            conversation_id: &row.id,
            channel: &row.channel,
            text: command.body.expose(),
            is_template: command.content.is_some(),
            is_confirmation: false,
        };
        if let Gate::Refused(code) = gate(context, &command.connector, &outgoing).await? {
            return Err(SubmitError::Refused(code));
        }
    }
    let adopted = context.store.adopt(command).await?;
    context.live.changed(&adopted.conversation_id);
    if adopted.is_new && speaks {
        for outbox_id in command.outbox_ids() {
            send_row(context, &outbox_id).await;
        }
    }
    Ok(adopted)
}

/// Whether a command of this id was taken before.
pub(crate) async fn is_taken(context: &Context, outbox_id: &str) -> Result<bool, StoreError> {
    match context.store.outbox_row(outbox_id).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a refusal means, for people.
pub(crate) fn why_refused(code: &str) -> &'static str {
    match code {
        super::codes::OPTED_OUT => "the person wants no messages from this address of ours",
        _ => "the person has not written for longer than WhatsApp allows: send a template, or wait until they write",
    }
}
