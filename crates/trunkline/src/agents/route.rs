//! Which agent answers where.

/// Where something is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The connector that it came by.
    pub connector: &'a str,
    /// `sms`, `whatsapp`, `chat`, `voice`, …
    pub channel: &'a str,
    /// Our number or address that the person uses, if it is known, as its connector writes it.
    pub number: Option<&'a str>,
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
    /// The name of the agent.
    pub agent: String,
}

impl Route {
    /// A route that fits everything.
    pub fn to(agent: impl Into<String>) -> Self {
        Self { number: None, channel: None, connector: None, agent: agent.into() }
    }

    /// Whether all that it says is so.
    #[must_use]
    pub fn fits(&self, asked: &Asked<'_>) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        // `whatsapp:+1555…` is the same number.
        let number = asked.number.map_or("", |number| number.rsplit_once(':').map_or(number, |(_, bare)| bare));
        same(&self.channel, asked.channel) && same(&self.connector, asked.connector) && same(&self.number, number)
    }
}
