//! Which agent answers where.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Attributes that one route may ask for.
pub(crate) const MAX_ATTRIBUTES: usize = 20;
/// Members of members that the name of an attribute may go down.
pub(crate) const MAX_DEPTH: usize = 8;

/// Where something is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The connector that it came by.
    pub connector: &'a str,
    /// `sms`, `whatsapp`, `chat`, `voice`, …
    pub channel: &'a str,
    /// Our number or address that the person uses, if it is known, as its connector writes it.
    pub number: Option<&'a str>,
    /// What the platform keeps beside the conversation, or what goes along with the call.
    pub attributes: Option<&'a Map<String, Value>>,
    /// The agent that was chosen for this conversation.
    pub chosen: Option<&'a str>,
}

/// A rule that names the agent for what fits all that it says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Our number or address, E.164; it fits on every channel.
    pub number: Option<String>,
    /// `sms`, `whatsapp`, `chat`, `voice`, …
    pub channel: Option<String>,
    /// The connector's name.
    pub connector: Option<String>,
    /// Attributes of the conversation, each with the text, number or truth value that it has to have. A dot leads into
    /// a member: `customer.tier`; a member whose own name has the dot goes first.
    #[serde(default)]
    pub attribute: BTreeMap<String, Value>,
    /// The name of the agent.
    pub agent: String,
}

impl Route {
    /// A route that fits everything.
    pub fn to(agent: impl Into<String>) -> Self {
        Self { number: None, channel: None, connector: None, attribute: BTreeMap::new(), agent: agent.into() }
    }

    /// Whether all that it says is so.
    #[must_use]
    pub fn fits(&self, asked: &Asked<'_>) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        // `whatsapp:+1555…` is the same number.
        let number = asked.number.map_or("", |number| number.rsplit_once(':').map_or(number, |(_, bare)| bare));
        let has =
            |(name, value): (&String, &Value)| asked.attributes.is_some_and(|told| member(told, name) == Some(value));
        same(&self.channel, asked.channel)
            && same(&self.connector, asked.connector)
            && same(&self.number, number)
            && self.attribute.iter().all(has)
    }
}

/// The member of this name, or the one that the name leads to.
fn member<'a>(told: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = told.get(name) {
        return Some(value);
    }
    let mut names = name.split('.').take(MAX_DEPTH + 1);
    let first = told.get(names.next()?)?;
    names.try_fold(first, |value, name| value.as_object()?.get(name))
}
