//! Language models: what a model is asked, and what it says. What is different between their APIs ends here.

mod anthropic;
mod openai;

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::Stream;
use reqwest::Client;
use trunkline_core::{ConfigError, Pii, Secret};

use crate::AgentError;
use crate::tools::{ToolCall, ToolSpec};

pub use anthropic::Anthropic;
pub use openai::OpenAi;

/// The API that a server speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ModelApi {
    /// OpenAI's Chat Completions, which many servers speak.
    #[default]
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
}

impl ModelApi {
    /// The API of a name: `openai` or `anthropic`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "openai" => Some(Self::OpenAi),
            "anthropic" => Some(Self::Anthropic),
            _ => None,
        }
    }

    /// Where it is when nothing else is said.
    #[must_use]
    pub const fn default_base_url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
        }
    }
}

/// How to reach a model.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// The API that its server speaks. Default OpenAI's.
    pub api: ModelApi,
    /// Up to and without `/chat/completions` or `/messages`. Default: the API's own.
    pub base_url: String,
    /// The server's key; may be empty for a local server.
    pub api_key: Secret,
    /// The model's name at the server.
    pub model: String,
}

impl ModelConfig {
    /// A model at the API's own address.
    pub fn new(api: ModelApi, model: impl Into<String>) -> Self {
        Self { api, base_url: api.default_base_url().to_owned(), api_key: Secret::default(), model: model.into() }
    }

    /// Prepares a client; connects to nothing yet.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn build(&self) -> Result<Box<dyn LanguageModel>, ConfigError> {
        let mut problems = ConfigError::new();
        if self.model.is_empty() {
            problems.add("agent.model", "is missing; name the model to ask");
        }
        if !self.base_url.starts_with("http://") && !self.base_url.starts_with("https://") {
            problems.add("agent.base_url", "must begin with http:// or https://");
        }
        if !self.api_key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            problems.add("agent.api_key", "must be printable ASCII without blanks");
        }
        problems.or(())?;
        Ok(match self.api {
            ModelApi::OpenAi => Box::new(OpenAi::new(self)?),
            ModelApi::Anthropic => Box::new(Anthropic::new(self)?),
        })
    }
}

/// A picture that came with what a person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Such as `image/png`.
    pub content_type: String,
    /// The content, in base64.
    pub base64: String,
}

/// Something in a conversation with a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// What a person said.
    Person {
        /// Their words.
        text: Pii<String>,
        /// Their pictures.
        pictures: Vec<Picture>,
    },
    /// What the model said, and the tools that it asked for.
    Model {
        /// Its words; may be empty.
        text: Pii<String>,
        /// What it asked for.
        calls: Vec<ToolCall>,
    },
    /// What a tool gave.
    Result {
        /// The model's name for the call.
        id: String,
        /// What the model is told.
        content: Pii<String>,
        /// Whether the tool failed.
        has_failed: bool,
    },
}

/// What a model is asked.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What it is told first.
    pub instructions: String,
    /// What was said, oldest first.
    pub messages: Vec<Message>,
    /// What it may ask for.
    pub tools: Vec<ToolSpec>,
    /// Whether it may ask for any of that now; otherwise it has to use words.
    pub may_call: bool,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
}

/// Why a model ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It has said what it has to say.
    Stop,
    /// It has used up its length.
    Length,
    /// It waits for tools.
    Tools,
    /// It, or its server, withholds the answer.
    Filtered,
}

/// What an answer has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of what it was asked.
    pub input_tokens: u64,
    /// Tokens of what it said.
    pub output_tokens: u64,
}

/// What a model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelEvent {
    /// A piece of its words.
    Text(String),
    /// It wants a tool.
    Call(ToolCall),
    /// The last event but for the usage.
    Finished(Finish),
    /// What it has cost.
    Usage(Usage),
}

/// What a model says, as it says it. Dropping it ends the request.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, AgentError>> + Send>>;

/// Something that goes on with a conversation.
#[async_trait]
pub trait LanguageModel: Send + Sync {
    /// The model's name at its server.
    fn model(&self) -> &str;

    /// Asks it.
    ///
    /// # Errors
    /// See [`AgentError`]; they may come out of the stream too.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future or the stream ends the request.
    async fn ask(&self, prompt: &Prompt) -> Result<ModelStream, AgentError>;
}

/// Tools that a model may ask for together.
const MAX_CALLS: usize = 32;
/// What a model may write for one call, in bytes.
const MAX_CALL_BYTES: usize = 256 << 10;
/// How long to wait for a connection to a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server is left alone for at most this long, whatever it asks for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

fn client() -> Result<Client, ConfigError> {
    Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build().map_err(
        |_| {
            let mut problem = ConfigError::new();
            problem.add("agent", "no HTTP client can be built on this machine");
            problem
        },
    )
}

fn refused(status: u16, after: Duration) -> AgentError {
    // 529: Anthropic is overloaded.
    if matches!(status, 408 | 409 | 425 | 429) || status >= 500 {
        AgentError::Unavailable { status, after: after.min(MAX_RETRY_AFTER) }
    } else {
        AgentError::Refused { status }
    }
}

/// Calls whose arguments come in pieces.
#[derive(Default)]
struct Calls(Vec<(u64, ToolCall)>);

impl Calls {
    /// The call at a place begins, or is named.
    fn begin(&mut self, index: u64, id: Option<String>, name: Option<String>) -> Result<(), AgentError> {
        if let Some((_, call)) = self.0.iter_mut().find(|(at, _)| *at == index) {
            call.id.extend_from(id);
            call.name.extend_from(name);
            return Ok(());
        }
        if self.0.len() >= MAX_CALLS {
            return Err(AgentError::Malformed("the model wants too many tools at once"));
        }
        let call =
            ToolCall { id: id.unwrap_or_default(), name: name.unwrap_or_default(), arguments: Pii::new(String::new()) };
        self.0.push((index, call));
        Ok(())
    }

    /// A piece of the arguments of the call at a place.
    fn add(&mut self, index: u64, piece: &str) -> Result<(), AgentError> {
        let call = self.0.iter_mut().find(|(at, _)| *at == index).map(|(_, call)| call);
        let call = call.ok_or(AgentError::Malformed("a tool's arguments come before its name"))?;
        let mut arguments = std::mem::take(&mut call.arguments).into_inner();
        if arguments.len() + piece.len() > MAX_CALL_BYTES {
            return Err(AgentError::ReplyTooLong { limit: MAX_CALL_BYTES });
        }
        arguments.push_str(piece);
        call.arguments = Pii::new(arguments);
        Ok(())
    }

    /// All of them, whole.
    fn take(&mut self) -> impl Iterator<Item = ToolCall> {
        std::mem::take(&mut self.0).into_iter().map(|(_, call)| call)
    }
}

/// Some servers send a name once, some in each piece as null.
trait ExtendFrom {
    fn extend_from(&mut self, piece: Option<String>);
}

impl ExtendFrom for String {
    fn extend_from(&mut self, piece: Option<String>) {
        if self.is_empty() {
            *self = piece.unwrap_or_default();
        }
    }
}
