//! One message on its way to a connector: may it be sent, when, and what became of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trunkline_core::Retry;
use trunkline_core::event::SendMessage;
use trunkline_store::{Claim, Content, OutboxRow, ReplyKind, StoreError};

use super::gate::{OPTED_OUT_AT_TWILIO, WINDOW_CLOSED_AT_TWILIO, filled};
use super::pace::{Pace, Place};
use super::wait::backoff;
use super::{Context, Gate, GateError, Outgoing, gate};
use crate::connectors::{Connector, ConnectorError};

/// The wait after the first failure, and the longest one.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(250);
pub(super) const MAX_WAIT: Duration = Duration::from_secs(5);

/// What to do next with a row.
pub(super) enum Step {
    /// Try again after this.
    Wait(Duration),
    /// Something of its conversation comes before it.
    Behind,
    /// Its sender has as much to send as is kept in hand: ask again after this.
    TooMany(Duration),
    /// The gateway stops; nothing was sent.
    Stopped,
    /// It is settled.
    Done,
}

/// A command and what sending it needs.
pub(super) struct Job<'a> {
    pub(super) context: &'a Context,
    pub(super) connector: &'a dyn Connector,
    pub(super) command: &'a SendMessage,
    pub(super) pace: &'a Mutex<Pace>,
    /// The gateway stops: nobody waits for a place any more.
    pub(super) stop: &'a CancellationToken,
    /// When the reply was committed.
    pub(super) committed: Timestamp,
    /// Since when this process does not know the outcome. Not the time of the claim: a request may have been given up
    /// long after it left, and clocks are set.
    pub(super) unknown_since: Option<Instant>,
}

impl Job<'_> {
    /// Claims the row and does what it needs.
    pub(super) async fn step(&mut self, tries: u32) -> Result<Step, StoreError> {
        match self.context.store.claim(&self.command.outbox_id).await? {
            Claim::Settled => Ok(Step::Done),
            Claim::Behind => Ok(Step::Behind),
            Claim::Yours(row) => self.send(&row, tries).await,
            Claim::Unknown(row) => self.look_up(&row, tries).await,
        }
    }

    async fn send(&mut self, row: &OutboxRow, tries: u32) -> Result<Step, StoreError> {
        match self.paced(row).await {
            Ok(Place::After(wait)) if wait.is_zero() => {}
            Ok(Place::After(wait)) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.stop.cancelled() => {
                        self.context.store.release(&row.id).await?;
                        return Ok(Step::Stopped);
                    }
                }
            }
            Ok(Place::AskAgain(wait)) => {
                self.context.store.release(&row.id).await?;
                return Ok(Step::TooMany(wait));
            }
            Err(GateError::Store(error)) => return Err(error),
            Err(GateError::Connector(error)) => return self.not_told(row, &error, tries).await,
        }
        let content = match self.gate(row).await {
            Ok(Gate::Open) => row.content.clone(),
            Ok(Gate::AsTemplate(content)) => {
                self.context.store.set_content(&row.id, &content).await?;
                Some(content)
            }
            Ok(Gate::Refused(code)) => return self.refused(row, code).await,
            Err(GateError::Store(error)) => return Err(error),
            Err(GateError::Connector(error)) => return self.not_told(row, &error, tries).await,
        };
        let template = self.context.settings.whatsapp.template.as_ref().filter(|_| content.is_none());
        let mut sent = self.connector.send(&self.worded(content)).await;
        if let (Err(error), Some(template)) = (&sent, template)
            && error.provider_number == Some(WINDOW_CLOSED_AT_TWILIO)
        {
            let content = filled(template, &self.command.text);
            self.context.store.set_content(&row.id, &content).await?;
            sent = self.connector.send(&self.worded(Some(content))).await;
        }
        let error = match sent {
            Ok(sent) => {
                self.reached();
                return self.sent(row, &sent, "sent").await;
            }
            Err(error) => error,
        };
        if error.provider_number == Some(OPTED_OUT_AT_TWILIO) {
            self.context.store.consent_withdrawn(&row.conversation_id, None).await?;
        }
        match error.retry {
            Retry::No => self.failed(row, &error).await,
            Retry::After(wait) => self.later(row, &error, wait, tries).await,
            Retry::Unknown => {
                self.context.metrics.send("unknown");
                self.note(&error);
                self.unknown_since = Some(Instant::now());
                Ok(Step::Wait(self.context.settings.settle))
            }
        }
    }

    /// The connector could not tell what has to be known before anything is said.
    async fn not_told(&self, row: &OutboxRow, error: &ConnectorError, tries: u32) -> Result<Step, StoreError> {
        match error.retry {
            Retry::No => self.failed(row, error).await,
            Retry::After(wait) => self.later(row, error, wait, tries).await,
            // It was only asked.
            Retry::Unknown => self.later(row, error, Duration::ZERO, tries).await,
        }
    }

    /// Looks at what the channel of the conversation allows now.
    async fn gate(&self, row: &OutboxRow) -> Result<Gate, GateError> {
        let outgoing = Outgoing {
            conversation_id: &row.conversation_id,
            channel: &row.channel,
            text: row.body.expose(),
            is_template: row.content.is_some(),
            is_confirmation: row.kind == ReplyKind::Keyword.as_str(),
        };
        gate(self.context, &row.connector, &outgoing).await
    }

    /// A place in the queue of the address that sends.
    async fn paced(&self, row: &OutboxRow) -> Result<Place, GateError> {
        let rates = &self.context.settings.sender_rates;
        if !rates.any() {
            return Ok(Place::After(Duration::ZERO));
        }
        let known = self.context.store.sender_of(&row.conversation_id).await?;
        let sender = if let Some(sender) = known {
            sender
        } else {
            // An empty one says that there is none, so that nobody asks again.
            let told = self.connector.sender(&row.conversation).await?.unwrap_or_default();
            self.context.store.set_sender(&row.conversation_id, &told).await?;
            told
        };
        if sender.is_empty() {
            return Ok(Place::After(Duration::ZERO));
        }
        let Some(rate) = rates.of(&sender) else { return Ok(Place::After(Duration::ZERO)) };
        let place = self.pace.lock().unwrap_or_else(PoisonError::into_inner).place(&sender, rate, Instant::now());
        Ok(place)
    }

    /// What is sent: the command, as this template if there is one.
    fn worded(&self, content: Option<Content>) -> SendMessage {
        let (content_sid, variables) = content.map(|content| (content.sid, content.variables)).unzip();
        let content_variables = variables.unwrap_or_default().into_inner();
        SendMessage { content_sid, content_variables, ..self.command.clone() }
    }

    /// Nothing was sent: it is tried again.
    async fn later(
        &self,
        row: &OutboxRow,
        error: &ConnectorError,
        wait: Duration,
        tries: u32,
    ) -> Result<Step, StoreError> {
        self.context.metrics.send("later");
        self.note(error);
        self.context.store.release(&row.id).await?;
        Ok(Step::Wait(wait.max(backoff(FIRST_WAIT, tries, MAX_WAIT))))
    }

    /// Not allowed: nobody is asked to send it.
    async fn refused(&self, row: &OutboxRow, code: &'static str) -> Result<Step, StoreError> {
        self.context.metrics.send("refused");
        tracing::info!(error.code = code, "a message is not sent");
        self.context.store.mark_failed(row, code).await?;
        self.context.live.changed(&row.conversation_id);
        Ok(Step::Done)
    }

    /// Refused for good, or gone: the conversation goes on without it.
    async fn failed(&self, row: &OutboxRow, error: &ConnectorError) -> Result<Step, StoreError> {
        self.context.metrics.send("refused");
        tracing::error!(
            error.code = error.code,
            provider.error = error.provider_number,
            "a message was refused for good"
        );
        let code =
            error.provider_number.map_or_else(|| error.code.to_owned(), |number| format!("{}/{number}", error.code));
        self.context.store.mark_failed(row, &code).await?;
        self.context.live.changed(&row.conversation_id);
        Ok(Step::Done)
    }

    /// The outcome of an earlier try is not known: find the message, or make sure that there is none.
    async fn look_up(&mut self, row: &OutboxRow, tries: u32) -> Result<Step, StoreError> {
        let since = *self.unknown_since.get_or_insert_with(Instant::now);
        let wait = self.context.settings.settle.saturating_sub(since.elapsed());
        if !wait.is_zero() {
            return Ok(Step::Wait(wait));
        }
        let after = row.claimed_after.unwrap_or(-1);
        match self.connector.find_sent(&self.command.conversation, &self.command.outbox_id, after).await {
            Ok(Some(sent)) => {
                self.reached();
                self.sent(row, &sent, "found").await
            }
            Ok(None) => {
                self.reached();
                self.unknown_since = None;
                self.context.store.release(&row.id).await?;
                Ok(Step::Wait(Duration::ZERO))
            }
            Err(error) if error.retry == Retry::No => self.failed(row, &error).await,
            Err(error) => {
                self.note(&error);
                Ok(Step::Wait(backoff(FIRST_WAIT, tries, MAX_WAIT)))
            }
        }
    }

    async fn sent(
        &self,
        row: &OutboxRow,
        sent: &trunkline_store::Sent,
        outcome: &'static str,
    ) -> Result<Step, StoreError> {
        self.context.store.mark_sent(row, sent).await?;
        self.context.metrics.send(outcome);
        let latency = Timestamp::now().duration_since(self.committed);
        self.context.metrics.sent_after(Duration::try_from(latency).unwrap_or_default());
        self.context.live.changed(&row.conversation_id);
        Ok(Step::Done)
    }

    fn note(&self, error: &ConnectorError) {
        tracing::warn!(
            error.code = error.code,
            provider.error = error.provider_number,
            "a message could not be sent yet"
        );
        if error.unreachable {
            self.context.missed.lost(self.connector.name());
        }
    }

    fn reached(&self) {
        self.context.missed.reached(self.connector.name());
    }
}
