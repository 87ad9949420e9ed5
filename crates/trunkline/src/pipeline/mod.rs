//! From an envelope on the bus to an answer at the provider.
//!
//! ```text
//! ingress ─▶ Ingress (records) ─▶ lane per conversation (debounce, turn, commit) ─▶ outbox
//!                                                                                     │ Relay
//! provider ◀─ Connector ◀─ send lane per conversation (claim, send, look up) ◀─ egress ┘
//! ```
//!
//! Invariants: a delivery is acknowledged only when what it asks for is committed; a lane deals with one thing at a
//! time; no transaction is open while an agent or a provider works.

mod attributes;
mod catch_up;
mod changes;
mod close;
mod codes;
mod gate;
mod horizon;
mod inbox;
mod ingress;
mod job;
mod keywords;
mod lane;
mod lanes;
mod pace;
mod read_back;
mod receipts;
mod relay;
mod sender;
mod split;
mod submit;
mod turn;
mod typing;
mod under_way;
mod wait;

use std::sync::Arc;

use trunkline_bus::{Bus, Subjects};
use trunkline_store::Store;

use crate::agents::Agents;
use crate::config::{CatchUpSettings, Pipeline};
use crate::connectors::Connectors;
use crate::live::Live;
use crate::media::Media;
use crate::recall::Recall;
use crate::summaries::Summaries;
use crate::telemetry::Metrics;

pub use attributes::Untold;
pub(crate) use catch_up::read_back_conversation;
pub use catch_up::{CatchUp, CatchUpTrigger};
pub(crate) use close::{close_conversation, tell_closed};
pub(crate) use gate::{Gate, GateError, Outgoing, gate};
pub use horizon::Horizon;
pub(crate) use ingress::CONSUMER as INGRESS_CONSUMER;
pub use ingress::Ingress;
pub(crate) use ingress::record_text;
pub(crate) use keywords::send_row;
pub use relay::Relay;
use relay::publish;
pub(crate) use sender::CONSUMER as SENDER_CONSUMER;
pub use sender::Sender;
pub(crate) use split::{Limits, split};
pub(crate) use submit::{SubmitError, is_taken, submit, why_refused};
pub(crate) use turn::limits;
pub use typing::{Typing, TypingHandle};
pub use under_way::TurnsUnderWay;

/// What every part of the pipeline works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The durable log.
    pub bus: Arc<dyn Bus>,
    /// Its subjects.
    pub subjects: Subjects,
    /// The system of record.
    pub store: Store,
    /// The ways out.
    pub connectors: Connectors,
    /// Who answers; nobody if that is whoever reads the bus. Then no lane works, and texts wait for a command.
    pub agents: Agents,
    /// Settings of lanes and sending.
    pub settings: Arc<Pipeline>,
    /// Settings of reading back.
    pub catch_up: CatchUpSettings,
    /// Which messages are ours to answer.
    pub horizon: Horizon,
    /// Files that people send.
    pub media: Media,
    /// What agents are reminded of.
    pub recall: Recall,
    /// What was said before the latest messages, in short.
    pub summaries: Summaries,
    /// Instruments.
    pub metrics: Metrics,
    /// Who watches.
    pub live: Live,
    /// Asks for a pass that reads back what was missed.
    pub missed: CatchUpTrigger,
    /// Tells people that they are being answered.
    pub typing: TypingHandle,
    /// Whose attributes are not to be asked for just now.
    pub untold: Untold,
    /// The turns of texts that are under way.
    pub under_way: TurnsUnderWay,
}
