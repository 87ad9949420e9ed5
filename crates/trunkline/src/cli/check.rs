//! `trunkline check`: is everything in place? Says what to mend.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use trunkline::agents::rehearse;
use trunkline::config::{
    AgentSettings, AgentsSettings, EmbeddingsSettings, RealtimeConfig, Settings, TwilioSettings, WebChatSettings,
};
use trunkline::meaning::ModelOfMeaning;
use trunkline_agent::tools::McpServer;
use trunkline_bus::{Bus as _, EmbeddedBus, EmbeddedOptions};
use trunkline_core::Pii;
use trunkline_store::Store;
use trunkline_twilio::TwilioMessaging;
use trunkline_twilio::realtime::{ConnectionState, Event, RealtimeClient};
use trunkline_twilio::rest::{Credentials, RestClient, RestConfig};
use url::Url;

use super::run::{reader, runtime};
use super::{FAILED, MISCONFIGURED, ServeArgs, misconfigured, print, say, wiring};

/// How long to wait for a connection to the agent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The findings so far.
#[derive(Default)]
pub(super) struct Report {
    wrong: usize,
    /// What could not be seen now.
    open: usize,
}

impl Report {
    pub(super) fn good(what: &str) {
        print(&format!("ok    {what}"));
    }

    /// Something that may be right or wrong: it cannot be seen now.
    pub(super) fn open(&mut self, what: &str) {
        self.open += 1;
        print(&format!("?     {what}"));
    }

    pub(super) fn wrong(&mut self, what: &str) {
        self.wrong += 1;
        print(&format!("wrong {what}"));
    }
}

pub(super) fn run(args: &ServeArgs) -> ExitCode {
    let settings = match reader(args).and_then(|reader| Settings::load(&reader)) {
        Ok(settings) => settings,
        Err(error) => return misconfigured(&error),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let mut report = Report::default();
    Report::good("settings are complete and valid");
    let refused = runtime.block_on(async {
        engines(&settings, &mut report).await;
        chat(settings.webchat.as_ref());
        agents(&settings.agents, &mut report).await;
        embeddings(settings.embeddings.as_ref(), &mut report).await;
        if let Some(twilio) = &settings.twilio {
            return provider(twilio, &mut report).await;
        }
        Report::good("the Twilio connector is switched off (TWILIO_ENABLED=false)");
        false
    });
    match report.wrong {
        0 => {
            say(match report.open {
                0 => "everything is in place",
                _ => "nothing to mend, as far as it can be seen now",
            });
            ExitCode::SUCCESS
        }
        count => {
            say(&format!("{count} to mend"));
            ExitCode::from(if refused { MISCONFIGURED } else { FAILED })
        }
    }
}

async fn engines(settings: &Settings, report: &mut Report) {
    let folder = &settings.data_dir;
    if let Err(error) = std::fs::create_dir_all(folder) {
        report.wrong(&format!("the data folder {} cannot be made: {error}", folder.display()));
        return;
    }
    match EmbeddedBus::open(&EmbeddedOptions::new(folder.join("bus.db"))) {
        Ok(bus) => {
            match bus.probe().await {
                Ok(()) => Report::good("the bus can write"),
                Err(error) => report.wrong(&format!("the bus: {error}")),
            }
            bus.close().await;
        }
        Err(error) => report.wrong(&format!("the bus: {error}")),
    }
    match Store::open(&folder.join("store.db")).await {
        Ok(store) => {
            match store.probe().await {
                Ok(()) => Report::good("the store can write"),
                Err(error) => report.wrong(&format!("the store: {error}")),
            }
            store.close().await;
        }
        Err(error) => report.wrong(&format!("the store: {error}")),
    }
}

fn chat(settings: Option<&WebChatSettings>) {
    match settings {
        None => Report::good("the web chat is switched off (TRUNKLINE_WEBCHAT=false)"),
        Some(settings) if settings.origins.is_empty() => {
            Report::good("the web chat is at /chat; no other site may show it (TRUNKLINE_WEBCHAT_ORIGINS)");
        }
        Some(settings) => {
            Report::good(&format!("the web chat is at /chat; these may show it: {}", settings.origins.join(", ")));
        }
    }
}

/// Who answers, and with what tools.
async fn agents(settings: &AgentsSettings, report: &mut Report) {
    agent("TRUNKLINE_AGENT_URL", &settings.default, report).await;
    for (name, one) in &settings.named {
        Report::good(&format!("there is an agent {name}"));
        agent(&format!("agents.{name}.url"), one, report).await;
    }
    // What agents are to use has to be there; nothing is used.
    if let Err(error) = rehearse(settings, Vec::new()).await {
        report.wrong(&error.to_string());
    }
    for server in &settings.mcp {
        match McpServer::new(server.clone()).tools().await {
            Ok(tools) => Report::good(&format!("the MCP server {} has {} tools", server.name, tools.len())),
            Err(error) => report.wrong(&format!("{error}: look at [mcp.{}]", server.name)),
        }
    }
}

/// One agent. One elsewhere is only connected to: what it would answer, nobody but a person may ask.
async fn agent(setting: &str, settings: &AgentSettings, report: &mut Report) {
    let config = match settings {
        AgentSettings::Concierge(_) => return Report::good("the concierge answers, by rules"),
        AgentSettings::Chat(chat) => {
            let models: Vec<_> = chat.config.models.iter().map(|model| model.model.as_str()).collect();
            return Report::good(&format!("the model {} answers", models.join(", or else ")));
        }
        AgentSettings::Nobody => {
            return Report::good("whoever reads the bus answers (TRUNKLINE_AGENT=none): see docs/agents.md");
        }
        AgentSettings::Http(config) => config,
    };
    let place = Url::parse(&config.url).ok();
    let place =
        place.as_ref().and_then(|url| Some((url.host_str()?.trim_matches(['[', ']']), url.port_or_known_default()?)));
    let Some(place) = place else { return report.wrong(&format!("{setting} is not a URL")) };
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(place)).await {
        Ok(Ok(_)) => Report::good(&format!("the agent at {setting} can be connected to")),
        Ok(Err(error)) => report.wrong(&format!("the agent at {setting} cannot be connected to: {error}")),
        Err(_) => report.wrong(&format!("the agent at {setting} cannot be connected to: no answer within 5 s")),
    }
    if config.secret.is_empty() {
        say("note: TRUNKLINE_AGENT_SECRET is not set: the agent cannot tell the gateway from anybody else");
    }
}

/// What words mean. It is asked for one vector: that costs next to nothing.
async fn embeddings(settings: Option<&EmbeddingsSettings>, report: &mut Report) {
    let Some(settings) = settings else {
        return Report::good("the words alone decide what is found (no model of embeddings is set)");
    };
    let asked = match ModelOfMeaning::of(settings).await {
        Ok(model) => {
            let vectors = model.embedder.embed(&[Pii::new("hello".to_owned())]).await;
            vectors.map(|vectors| (model.embedder.model().to_owned(), vectors.first().map_or(0, Vec::len)))
        }
        Err(error) => return report.wrong(&error.to_string()),
    };
    match asked {
        Ok((model, numbers)) => {
            Report::good(&format!("the model of embeddings {model} answers, with vectors of {numbers} numbers"));
        }
        Err(error) => report.wrong(&format!(
            "{error} ({}); check TRUNKLINE_EMBEDDINGS_URL, TRUNKLINE_EMBEDDINGS_MODEL and TRUNKLINE_EMBEDDINGS_KEY",
            error.code()
        )),
    }
}

/// Asks Twilio; returns whether it refuses the configuration itself.
async fn provider(settings: &TwilioSettings, report: &mut Report) -> bool {
    let backend = match TwilioMessaging::new(settings.backend.clone()) {
        Ok(backend) => Arc::new(backend),
        Err(error) => {
            report.wrong(&error.to_string());
            return true;
        }
    };
    let rest = backend.rest();
    if let Err(error) = rest.fetch_configuration().await {
        let names = match settings.backend.text("api_key") {
            Some(_) => "TWILIO_API_KEY and TWILIO_API_SECRET",
            None => "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
        };
        report.wrong(&format!("Twilio: {error} ({}); check {names}", error.code()));
        return matches!(error, trunkline_twilio::rest::RestError::Auth { .. });
    }
    Report::good("Twilio accepts the credentials");
    if settings.backend.text("api_key").is_some() {
        auth_token(settings, rest, report).await;
    }
    wiring::check(settings, &backend, report).await;
    match &settings.realtime {
        None => say("note: the bot does not take part in real time; that takes an API key and TWILIO_CHAT_SERVICE_SID"),
        Some(config) => realtime(config, report).await,
    }
    false
}

/// REST uses the API key; the token, which webhooks are verified with, has to be tried by itself.
async fn auth_token(settings: &TwilioSettings, rest: &RestClient, report: &mut Report) {
    let account = settings.account_sid.parse();
    let token = settings.backend.secrets("auth_token").first().cloned();
    let (Ok(account), Some(token)) = (account, token) else { return };
    let config = RestConfig { credentials: Credentials::auth_token(account, token), ..rest.config().clone() };
    let tried = match RestClient::new(config) {
        Ok(rest) => rest.fetch_configuration().await.map(drop),
        Err(error) => Err(error),
    };
    match tried {
        Ok(()) => Report::good("Twilio accepts the auth token, which webhooks are verified with"),
        Err(error) => report.wrong(&format!("the auth token: {error} ({}); check TWILIO_AUTH_TOKEN", error.code())),
    }
}

/// Connects to the socket once.
async fn realtime(config: &RealtimeConfig, report: &mut Report) {
    let (client, mut events) = RealtimeClient::start(config.tokens.clone(), config.connection.clone());
    let outcome = async {
        while let Some(event) = events.recv().await {
            match event {
                Event::ConnectionStateChanged(ConnectionState::Connected, _) => return Ok(()),
                Event::ConnectionStateChanged(_, Some(loss)) => return Err(loss.reason),
                _ => {}
            }
        }
        Err("it ended".to_owned())
    };
    match timeout(SOCKET_PATIENCE, outcome).await {
        Ok(Ok(())) => Report::good("Twilio lets the bot take part in real time"),
        Ok(Err(reason)) => report.wrong(&format!(
            "the bot cannot take part in real time: {reason}; check TWILIO_API_KEY, TWILIO_API_SECRET and \
             TWILIO_CHAT_SERVICE_SID"
        )),
        Err(_) => report.wrong("the bot cannot take part in real time: the socket does not answer"),
    }
    client.stop().await;
}

/// How long the socket may take.
const SOCKET_PATIENCE: Duration = Duration::from_secs(15);
