//! The real-time client against a whole local Twilio, over a real socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use trunkline_core::Secret;
use trunkline_emulator::Emulator;
use trunkline_twilio::realtime::{
    AccessTokenGrant, ApiKeyTokens, ConnectionState, Event, MessageChange, NewMessage, RealtimeClient,
    RealtimeSettings, TokenError, TokenProvider,
};
use trunkline_twilio::rest::{self, Credentials, Endpoints, NewConversation, NewParticipant, RestClient, RestConfig};

use crate::support::{PATIENCE, wait_until};

struct World {
    emulator: Emulator,
    rest: RestClient,
    http: reqwest::Client,
}

fn tokens(emulator: &Emulator, identity: &str) -> ApiKeyTokens {
    let account = emulator.account();
    let secret = Secret::new(account.api_secret.as_str());
    ApiKeyTokens::new(account.account_sid, account.api_key, secret, account.chat_service_sid, identity)
}

impl World {
    async fn start() -> Self {
        let emulator = Emulator::builder().listen(([127, 0, 0, 1], 0).into()).start().await.unwrap();
        let account = emulator.account();
        let credentials = Credentials::auth_token(account.account_sid, Secret::new(account.auth_token.as_str()));
        let config = RestConfig::new(credentials, Endpoints::all_at(emulator.url()).unwrap());
        Self { rest: RestClient::new(config).unwrap(), emulator, http: reqwest::Client::new() }
    }

    fn client(&self, tokens: impl TokenProvider + 'static) -> (RealtimeClient, mpsc::Receiver<Event>) {
        let settings = RealtimeSettings { url: Some(self.emulator.twilsock_url()), ..RealtimeSettings::default() };
        RealtimeClient::start(tokens, settings)
    }

    async fn conversation(&self, identities: &[&str]) -> String {
        let conversation = self.rest.create_conversation(&NewConversation::default()).await.unwrap();
        let sid = conversation.sid.as_str().to_owned();
        for identity in identities {
            let new = NewParticipant { identity: Some((*identity).to_owned()), ..NewParticipant::default() };
            self.rest.add_participant(&sid, &new).await.unwrap();
        }
        sid
    }

    async fn say(&self, conversation: &str, author: &str, body: &str) {
        let message = rest::NewMessage {
            author: Some(author.to_owned()),
            body: Some(body.to_owned()),
            ..rest::NewMessage::default()
        };
        self.rest.create_message(conversation, &message).await.unwrap();
    }

    /// Every socket is cut, without a word.
    async fn cut(&self) {
        let url = format!("{}/emulator/v1/realtime/cut", self.emulator.url());
        let answer = self.http.post(url).json(&json!({})).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

/// The next event that `wanted` makes something of.
async fn next<T>(events: &mut mpsc::Receiver<Event>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = events.recv().await.expect("the client runs");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("the event comes")
}

async fn initialized(events: &mut mpsc::Receiver<Event>) {
    next(events, |event| matches!(event, Event::Initialized).then_some(())).await;
}

async fn message(events: &mut mpsc::Receiver<Event>) -> MessageChange {
    let added = |event| match event {
        Event::MessageAdded(message) => Some(message),
        _ => None,
    };
    next(events, added).await
}

fn text(body: &str) -> NewMessage {
    NewMessage { body: Some(body.to_owned()), ..NewMessage::default() }
}

#[tokio::test]
async fn it_joins_listens_speaks_and_leaves() {
    let world = World::start().await;
    let (client, mut events) = world.client(tokens(&world.emulator, "bot"));
    initialized(&mut events).await;
    let conversation = world.conversation(&["ada", "bot"]).await;
    let joined = |event| match event {
        Event::ConversationJoined(data) => Some(data.sid),
        _ => None,
    };
    assert_eq!(next(&mut events, joined).await, conversation);
    world.say(&conversation, "ada", "grüß dich").await;
    let heard = message(&mut events).await;
    assert_eq!((heard.data.text.as_deref(), heard.data.index), (Some("grüß dich"), 0));
    assert_eq!(heard.data.author.as_deref(), Some("ada"));
    let sent = client.send(&conversation, text("hello")).await.unwrap();
    assert_eq!(sent.index, 1);
    let own = message(&mut events).await;
    assert_eq!((own.data.author.as_deref(), own.author_kind.as_deref()), (Some("bot"), Some("chat")));
    client.set_read_horizon(&conversation, Some(1)).await.unwrap();
    let read = |event| match event {
        Event::ReadHorizonChanged { last_read, .. } => Some(last_read),
        _ => None,
    };
    assert_eq!(next(&mut events, read).await, Some(1));
    world.rest.remove_participant(&conversation, "bot").await.unwrap();
    let left = |event| match event {
        Event::ConversationLeft { conversation } => Some(conversation),
        _ => None,
    };
    assert_eq!(next(&mut events, left).await, conversation);
    client.stop().await;
    assert_eq!(client.snapshot().state, ConnectionState::Disconnected);
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn typing_goes_both_ways() {
    let world = World::start().await;
    let (bot, mut bot_events) = world.client(tokens(&world.emulator, "bot"));
    let (ada, mut ada_events) = world.client(tokens(&world.emulator, "ada"));
    let conversation = world.conversation(&["ada", "bot"]).await;
    let joined = |event| matches!(event, Event::ConversationJoined(_)).then_some(());
    next(&mut bot_events, joined).await;
    next(&mut ada_events, joined).await;
    ada.typing(&conversation).await.unwrap();
    let started = |event| match event {
        Event::TypingStarted { identity, .. } => Some(identity),
        _ => None,
    };
    let ended = |event| match event {
        Event::TypingEnded { identity, .. } => Some(identity),
        _ => None,
    };
    assert_eq!(next(&mut bot_events, started).await, "ada");
    ada.send(&conversation, text("there")).await.unwrap();
    assert_eq!(next(&mut bot_events, ended).await, "ada");
    bot.typing(&conversation).await.unwrap();
    assert_eq!(next(&mut ada_events, started).await, "bot");
    assert_eq!(next(&mut ada_events, ended).await, "bot", "it ends by itself");
    bot.stop().await;
    ada.stop().await;
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn what_was_said_while_it_was_away_comes_once_and_in_order() {
    let world = World::start().await;
    let (client, mut events) = world.client(tokens(&world.emulator, "bot"));
    let conversation = world.conversation(&["ada", "bot"]).await;
    next(&mut events, |event| matches!(event, Event::ConversationJoined(_)).then_some(())).await;
    let mut said = 0;
    for _ in 0..3 {
        world.cut().await;
        for _ in 0..10 {
            world.say(&conversation, "ada", &said.to_string()).await;
            said += 1;
        }
    }
    for expected in 0..said {
        assert_eq!(message(&mut events).await.data.text.as_deref(), Some(expected.to_string().as_str()));
    }
    assert!(client.snapshot().counters.losses >= 1);
    client.stop().await;
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn events_that_the_server_has_lost_are_read_from_the_list() {
    let world = World::start().await;
    let (client, mut events) = world.client(tokens(&world.emulator, "bot"));
    let conversation = world.conversation(&["ada", "bot"]).await;
    next(&mut events, |event| matches!(event, Event::ConversationJoined(_)).then_some(())).await;
    let faults = format!("{}/emulator/v1/faults", world.emulator.url());
    let fault = json!({"match": {"object": format!("{conversation}.messages")}, "count": 1,
                       "fault": {"kind": "replay_gap", "events": 7}});
    assert!(world.http.post(faults).json(&fault).send().await.unwrap().status().is_success());
    world.cut().await;
    for number in 0..10 {
        world.say(&conversation, "ada", &number.to_string()).await;
    }
    for number in 0..10 {
        assert_eq!(message(&mut events).await.data.index, number);
    }
    world.say(&conversation, "ada", "live").await;
    assert_eq!(message(&mut events).await.data.index, 10);
    client.stop().await;
    world.emulator.shutdown().await;
}

/// Gives a token that nobody believes until it is told to give good ones.
struct Doubtful {
    good: ApiKeyTokens,
    bad: ApiKeyTokens,
    is_good: Arc<AtomicBool>,
}

#[async_trait]
impl TokenProvider for Doubtful {
    async fn token(&self) -> Result<AccessTokenGrant, TokenError> {
        if self.is_good.load(Ordering::Relaxed) { self.good.token().await } else { self.bad.token().await }
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_and_tried_again() {
    let world = World::start().await;
    let account = world.emulator.account();
    let wrong = Secret::new("another secret, of another key");
    let bad = ApiKeyTokens::new(account.account_sid, account.api_key, wrong, account.chat_service_sid, "bot");
    let is_good = Arc::new(AtomicBool::new(false));
    let good = tokens(&world.emulator, "bot");
    let (client, mut events) = world.client(Doubtful { good, bad, is_good: Arc::clone(&is_good) });
    let denied = |event| match event {
        Event::ConnectionStateChanged(ConnectionState::Denied, Some(loss)) => Some(loss),
        _ => None,
    };
    assert_eq!(next(&mut events, denied).await.twilio_code, Some(20107));
    wait_until(async || client.snapshot().last_error.is_some()).await;
    is_good.store(true, Ordering::Relaxed);
    initialized(&mut events).await;
    assert_eq!(client.snapshot().state, ConnectionState::Connected);
    client.stop().await;
    world.emulator.shutdown().await;
}

#[tokio::test]
async fn more_than_is_read_at_once_is_read_whole() {
    let world = World::start().await;
    let mut conversations = Vec::new();
    for _ in 0..50 {
        conversations.push(world.conversation(&["ada", "bot"]).await);
    }
    let (client, mut events) = world.client(tokens(&world.emulator, "bot"));
    initialized(&mut events).await;
    // The outcomes of 151 subscriptions come at once, and so do the texts.
    wait_until(async || client.snapshot().confirmed_subscriptions == 151).await;
    for number in 0..4 {
        let texts = conversations.iter().map(|conversation| async { world.say(conversation, "ada", "hello").await });
        futures_util::future::join_all(texts).await;
        for _ in 0..conversations.len() {
            assert_eq!(message(&mut events).await.data.index, number);
        }
    }
    assert_eq!(client.snapshot().counters.losses, 0);
    client.stop().await;
    world.emulator.shutdown().await;
}
