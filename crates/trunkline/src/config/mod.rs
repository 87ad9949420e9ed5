//! The one place that reads configuration: defaults < `trunkline.toml` < environment < flags.
//!
//! [`Reader`] knows where a value came from, [`settings`](SETTINGS) names every setting with its default, and
//! [`Settings::load`] turns them into plain structs, one per subsystem, reporting every problem at once. Loading
//! binds no port and opens no connection.

mod agent;
mod calls;
mod duration;
mod embeddings;
mod knowledge;
mod media;
mod messaging;
mod people;
mod rates;
mod reader;
mod realtime;
mod settings;
mod summary;
mod table;
mod tables;
mod texts;
mod token;
mod workflows;

pub(crate) use agent::read_regular;
pub use agent::{AgentSettings, AgentsSettings, ChatSettings, ConciergeSource};
pub use calls::{Engine, Provider, SpeechSettings, VoiceSettings};
pub use duration::parse_duration;
pub use embeddings::{EmbeddingSource, EmbeddingsSettings};
pub use knowledge::{KnowledgeSettings, RecallSettings, SearchSettings};
pub use media::MediaSettings;
pub use messaging::MessagingSettings;
pub use rates::SenderRates;
pub use reader::Reader;
pub use settings::{
    CatchUpSettings, Console, Edge, Pipeline, RealtimeConfig, Settings, TelemetrySettings, TwilioSettings,
    WebChatSettings,
};
pub use summary::SummarySettings;
pub use table::{SETTINGS, Setting};
pub(crate) use texts::is_content_sid;
pub use texts::{KeywordReplies, KeywordSettings, Splitting, Template, WhatsAppSettings};
pub use token::{TOKEN_FILE, console_token, random_token};
pub use workflows::WorkflowSettings;
