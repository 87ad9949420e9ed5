//! Who answers: agents by name, and the routes that choose one.
//!
//! [`Agents`] is what everything else holds. What stands in it may be replaced while it is used: a turn that has begun
//! keeps its agent, the next one has the new one.

mod journal;
mod own_tools;
mod rehearsal;
mod reload;
mod report;
mod roster;
mod route;
mod servers;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use trunkline_agent::Agent;
use trunkline_agent::tools::Toolbox;
use trunkline_store::{ConversationRow, Store, StoreError};

pub(crate) use journal::StoreJournal;
pub(crate) use own_tools::{Own, failed, outbox_id, own_tools, stored, with_caller, words};
pub use rehearsal::{Recorded, rehearse};
pub use reload::Source;
pub(crate) use reload::follow;
pub(crate) use report::tool_calls;
pub(crate) use roster::{Additions, build};
pub use route::{Asked, Route};
pub(crate) use route::{MAX_ATTRIBUTES, MAX_DEPTH};
pub(crate) use servers::McpServers;

/// The name of the agent that answers where no route says otherwise.
pub const DEFAULT: &str = "default";

/// Agents and routes, as one configuration has them.
#[derive(Clone, Default)]
pub struct Roster {
    named: BTreeMap<String, Arc<dyn Agent>>,
    routes: Vec<Route>,
    /// Everything that an agent may be given to use.
    tools: Toolbox,
}

impl Roster {
    /// Nobody answers here: whoever reads the bus does.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One agent answers everywhere.
    #[must_use]
    pub fn of(agent: Arc<dyn Agent>) -> Self {
        Self::new().with(DEFAULT, agent)
    }

    /// Adds an agent; one of the same name is replaced. [`DEFAULT`] answers where no route says otherwise.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, agent: Arc<dyn Agent>) -> Self {
        self.named.insert(name.into(), agent);
        self
    }

    /// What workflows may use, beside agents: every tool there is.
    #[must_use]
    pub(crate) fn tools(self, tools: Toolbox) -> Self {
        Self { tools, ..self }
    }

    /// Adds a route behind those that are there: the first one that fits is taken.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster")
            .field("named", &self.named.keys())
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

/// The agents of a gateway. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Agents(Arc<RwLock<Arc<Roster>>>);

impl Agents {
    /// The agents of a roster.
    #[must_use]
    pub fn new(roster: Roster) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(roster))))
    }

    /// Puts another roster in the place of this one. Turns that have begun keep their agent.
    pub fn replace(&self, roster: Roster) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roster);
    }

    /// Whether anybody answers here.
    #[must_use]
    pub fn is_anyone_here(&self) -> bool {
        !self.roster().named.is_empty()
    }

    /// The agent of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Arc<dyn Agent>> {
        self.roster().named.get(name).cloned()
    }

    /// Every tool that is configured or built in.
    pub(crate) fn tools(&self) -> Toolbox {
        self.roster().tools.clone()
    }

    /// Whether any route asks for attributes.
    pub(crate) fn need_attributes(&self) -> bool {
        self.roster().routes.iter().any(|route| !route.attribute.is_empty())
    }

    /// The agent that answers in a conversation, whether or not a person of ours does for now.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    pub(crate) async fn of_conversation(
        &self,
        store: &Store,
        row: &ConversationRow,
    ) -> Result<Option<Arc<dyn Agent>>, StoreError> {
        let attributes = if self.need_attributes() {
            store.attributes_of_conversation(&row.connector, &row.external_id).await?
        } else {
            None
        };
        Ok(self.choose(&Asked {
            connector: &row.connector,
            channel: &row.channel,
            number: row.own_address.as_deref(),
            attributes: attributes.as_ref(),
            chosen: row.agent.as_deref(),
        }))
    }

    /// The names of all agents, in alphabetical order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.roster().named.keys().cloned().collect()
    }

    /// The agent that answers in a conversation or a call: the one that was chosen for it, the one of the first route
    /// that fits, or the default one.
    #[must_use]
    pub fn choose(&self, asked: &Asked<'_>) -> Option<Arc<dyn Agent>> {
        let roster = self.roster();
        let routed = roster.routes.iter().find(|route| route.fits(asked)).map(|route| route.agent.as_str());
        [asked.chosen, routed, Some(DEFAULT)].into_iter().flatten().find_map(|name| roster.named.get(name)).cloned()
    }

    fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::json;
    use trunkline_agent::{AgentError, AgentStream, Turn};

    use super::*;

    struct Named(&'static str);

    #[async_trait]
    impl Agent for Named {
        fn name(&self) -> &str {
            self.0
        }

        async fn respond(&self, _: Turn) -> Result<AgentStream, AgentError> {
            Err(AgentError::Empty)
        }
    }

    #[test]
    fn a_route_asks_for_attributes_exactly() {
        let check = |wanted: serde_json::Value, told: serde_json::Value, fits: bool| {
            let route = Route { attribute: serde_json::from_value(wanted.clone()).unwrap(), ..Route::to("gold") };
            let asked =
                Asked { connector: "twilio", channel: "sms", number: None, attributes: told.as_object(), chosen: None };
            assert_eq!(route.fits(&asked), fits, "{wanted} of {told}");
        };
        check(json!({"tier": "gold"}), json!({"tier": "gold", "x": 1}), true);
        check(json!({"tier": "gold"}), json!({"tier": "Gold"}), false);
        check(json!({"tier": "gold"}), json!({}), false);
        check(json!({"tier": "gold"}), json!("gold"), false);
        check(json!({"tier": "1"}), json!({"tier": 1}), false);
        check(json!({"tier": 1, "vip": true}), json!({"tier": 1, "vip": true}), true);
        check(json!({"tier": 1, "vip": true}), json!({"tier": 1, "vip": false}), false);
        check(json!({"customer.tier": "gold"}), json!({"customer": {"tier": "gold"}}), true);
        check(json!({"customer.tier": "gold"}), json!({"customer": "gold"}), false);
        check(json!({"customer.tier": "gold"}), json!({"customer.tier": "iron", "customer": {"tier": "gold"}}), false);
        check(json!({}), json!(null), true);
    }

    #[test]
    fn the_chosen_agent_then_the_first_route_then_the_default() {
        let german = Route { number: Some("+4930123456".to_owned()), ..Route::to("german") };
        let gone = Route { channel: Some("whatsapp".to_owned()), ..Route::to("gone") };
        let roster = Roster::of(Arc::new(Named("main"))).with("german", Arc::new(Named("anna")));
        let agents = Agents::new(roster.route(gone).route(german));
        let name = |asked: &Asked<'_>| agents.choose(asked).map(|agent| agent.name().to_owned());
        let asked =
            Asked { connector: "twilio", channel: "sms", number: Some("+4930123456"), attributes: None, chosen: None };
        assert_eq!(name(&asked).as_deref(), Some("anna"));
        assert_eq!(name(&Asked { chosen: Some("default"), ..asked }).as_deref(), Some("main"));
        assert_eq!(name(&Asked { chosen: Some("left the company"), ..asked }).as_deref(), Some("anna"));
        let whatsapp = Asked { channel: "whatsapp", number: Some("whatsapp:+4930123456"), ..asked };
        assert_eq!(name(&whatsapp).as_deref(), Some("main"), "a route to nobody says nothing");
        assert_eq!(name(&Asked { number: None, ..asked }).as_deref(), Some("main"));
        agents.replace(Roster::new());
        assert!(name(&asked).is_none() && !agents.is_anyone_here());
    }
}
