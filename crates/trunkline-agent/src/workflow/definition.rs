//! A workflow: what starts it, its nodes, and which of them come before which.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::event::EventType;
use super::expression::{Expression, ExpressionError, Scope, Template};
use super::schedule::Schedule;

/// The largest definition, in bytes.
pub const MAX_SOURCE_BYTES: usize = 256 << 10;
/// Nodes of one workflow.
pub const MAX_NODES: usize = 200;
/// Triggers of one workflow.
pub const MAX_TRIGGERS: usize = 50;
/// The longest name of a workflow or a node, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The longest time that anything in a workflow may take.
pub const MAX_TIME: Duration = Duration::from_hours(24 * 366);

/// A workflow that can be run. It was validated: what refers to something refers to something that is there.
#[derive(Debug)]
pub struct Workflow {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// What it is for; for people.
    pub description: String,
    /// The text that it was read from.
    pub source: String,
    /// The SHA-256 of that text, in hexadecimal: runs go on with the text that they began with.
    pub revision: String,
    /// What starts it.
    pub triggers: Vec<Trigger>,
    /// Its nodes, each behind all that it needs.
    pub nodes: Vec<Node>,
    /// How long a run may take.
    pub timeout: Duration,
    /// Runs that are at work at once; others wait. A run that waits for an event or a time is not at work.
    pub at_once: usize,
}

impl Workflow {
    /// The place of the node of this name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Whether it may be started by request.
    pub fn is_startable(&self) -> bool {
        self.triggers.iter().any(|trigger| matches!(trigger, Trigger::Request))
    }
}

/// What starts a workflow.
#[derive(Debug)]
pub enum Trigger {
    /// An event of this type.
    Event {
        /// The type.
        event: &'static EventType,
        /// Holds if the event starts it; `None` if every one does.
        when: Option<Expression>,
    },
    /// The time.
    Schedule(Schedule),
    /// A request to the API, or the command line.
    Request,
}

/// A step of a workflow.
#[derive(Debug)]
pub struct Node {
    /// Its name in the workflow.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// What it comes after.
    pub needs: Vec<Need>,
    /// How many of those.
    pub join: Join,
    /// It is passed over unless this holds.
    pub when: Option<Expression>,
    /// What happens when it fails.
    pub retry: Retry,
    /// How long one try may take. A wait has its own time.
    pub timeout: Duration,
    /// The node that makes good for this one when it has failed.
    pub on_failure: Option<usize>,
    /// Whether it is there to make good for another one, and runs for no other reason.
    pub is_compensation: bool,
}

/// A node that comes before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Its place.
    pub node: usize,
    /// What it has to come to; `None` for anything.
    pub branch: Option<Branch>,
}

/// What a node with two ways out came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// A condition holds.
    Yes,
    /// It does not.
    No,
    /// The event came.
    Event,
    /// The time was over first.
    Time,
}

impl Branch {
    /// The word in `needs`, in the store and in outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Event => "event",
            Self::Time => "time",
        }
    }

    /// The branch that this word names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Yes, Self::No, Self::Event, Self::Time].into_iter().find(|branch| branch.as_str() == name)
    }
}

/// How many of the nodes that one needs have to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Join {
    /// All of them; it is passed over when one is passed over.
    #[default]
    All,
    /// One of them; it is passed over when all are.
    Any,
}

/// How often a node is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all.
    pub attempts: u32,
    /// The wait before the second one; doubles each time, with full jitter, up to an hour.
    pub backoff: Duration,
}

/// Texts and tables of a node, with expressions in them.
#[derive(Debug)]
pub enum Structure {
    /// A text.
    Text(Template),
    /// A number, `true` or `false`.
    Plain(Value),
    /// A list.
    List(Vec<Self>),
    /// A table.
    Table(BTreeMap<String, Self>),
}

impl Structure {
    /// What it comes to.
    ///
    /// # Errors
    /// As [`Template::value`].
    pub fn value(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        Ok(match self {
            Self::Text(template) => template.value(scope)?,
            Self::Plain(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|item| item.value(scope)).collect::<Result<_, _>>()?),
            Self::Table(fields) => {
                let fields = fields.iter().map(|(name, value)| Ok((name.clone(), value.value(scope)?)));
                Value::Object(fields.collect::<Result<Map<_, _>, ExpressionError>>()?)
            }
        })
    }
}

/// Methods of requests.
pub const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What a node does.
#[derive(Debug)]
pub enum Kind {
    /// An agent answers something; nothing is sent.
    Agent {
        /// Which one; the default one when not named.
        agent: Option<String>,
        /// What it is told.
        input: Template,
        /// The conversation that it knows of.
        conversation: Option<Template>,
    },
    /// A text goes out.
    SendText {
        /// To this address; in the latest conversation with it, or a new one.
        to: Option<Template>,
        /// In this conversation.
        conversation: Option<Template>,
        /// From this address of ours, when there is no conversation yet.
        from: Option<Template>,
        /// What it says.
        text: Template,
        /// A template that says it instead.
        content_sid: Option<Template>,
        /// What is filled in there.
        variables: BTreeMap<String, Template>,
    },
    /// Somebody is called; the agent leads the call.
    PlaceCall {
        /// Whom.
        to: Template,
        /// From this number of ours.
        from: Option<Template>,
        /// How long it rings.
        ring: Duration,
        /// Whether the provider listens and speaks.
        as_text: bool,
        /// Keys that are pressed when somebody answers.
        digits: Option<Template>,
    },
    /// A request over HTTP.
    Http {
        /// The method.
        method: String,
        /// The address.
        url: Template,
        /// Headers.
        headers: BTreeMap<String, Template>,
        /// The body: a text as it is, anything else as JSON.
        body: Option<Structure>,
    },
    /// A tool of an agent.
    Tool {
        /// Its name.
        tool: String,
        /// What it is given.
        arguments: Structure,
        /// The conversation that it works for.
        conversation: Option<Template>,
    },
    /// Decides between two ways.
    Condition {
        /// What has to hold.
        test: Expression,
    },
    /// Waits for an event, or for a time, or for whichever comes first.
    Wait {
        /// The event.
        event: Option<Awaited>,
        /// For so long.
        within: Option<Duration>,
        /// Until this time, in RFC 3339.
        until: Option<Template>,
    },
    /// Somebody joins a conversation.
    AddParticipant {
        /// The conversation.
        conversation: Template,
        /// Their chat identity.
        identity: Option<Template>,
        /// Their address.
        address: Option<Template>,
        /// The address of ours that they write to.
        own_address: Option<Template>,
    },
    /// Somebody leaves a conversation.
    RemoveParticipant {
        /// The conversation.
        conversation: Template,
        /// The participant, as the provider names them.
        participant: Template,
    },
    /// A conversation is closed.
    CloseConversation {
        /// Which one.
        conversation: Template,
    },
    /// Something is remembered of a person.
    Store {
        /// The conversation with them.
        conversation: Option<Template>,
        /// Their address.
        person: Option<Template>,
        /// What, by name.
        values: BTreeMap<String, Template>,
    },
    /// A person of ours takes a conversation over.
    HandOver {
        /// Which one.
        conversation: Template,
    },
    /// Nothing: other nodes meet here, or begin from here.
    Join,
}

/// An event that is waited for.
#[derive(Debug)]
pub struct Awaited {
    /// Of one of these types.
    pub events: Vec<&'static EventType>,
    /// About this person, conversation or call; `None` for any.
    pub about: Option<Template>,
    /// Holds if it is the one; the event is called `received`.
    pub matches: Option<Expression>,
}

impl Kind {
    /// The word in definitions, metrics and the store.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Agent { .. } => "agent",
            Self::SendText { .. } => "send_text",
            Self::PlaceCall { .. } => "place_call",
            Self::Http { .. } => "http",
            Self::Tool { .. } => "tool",
            Self::Condition { .. } => "condition",
            Self::Wait { .. } => "wait",
            Self::AddParticipant { .. } => "add_participant",
            Self::RemoveParticipant { .. } => "remove_participant",
            Self::CloseConversation { .. } => "close_conversation",
            Self::Store { .. } => "store",
            Self::HandOver { .. } => "hand_over",
            Self::Join => "join",
        }
    }

    /// What it may come to, if it has two ways out.
    pub const fn branches(&self) -> &'static [Branch] {
        match self {
            Self::Condition { .. } => &[Branch::Yes, Branch::No],
            Self::Wait { .. } => &[Branch::Event, Branch::Time],
            _ => &[],
        }
    }

    /// Fields of its output; empty where nobody knows them before.
    pub(super) const fn outputs(&self) -> &'static [&'static str] {
        match self {
            Self::Agent { .. } => &["text", "memories", "hand_over"],
            Self::SendText { .. } => &["outbox_id", "conversation"],
            Self::PlaceCall { .. } => &["call", "provider_call"],
            Self::Http { .. } => &["status", "body"],
            Self::Condition { .. } => &["is"],
            Self::Wait { .. } => &["came", "event"],
            Self::AddParticipant { .. } => &["participant"],
            Self::RemoveParticipant { .. } | Self::CloseConversation { .. } | Self::HandOver { .. } => {
                &["conversation"]
            }
            Self::Store { .. } => &["contact", "conversation"],
            Self::Tool { .. } | Self::Join => &[],
        }
    }
}
