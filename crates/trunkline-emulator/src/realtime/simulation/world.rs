//! A whole emulator without listener: its state, the owner of it, and what sockets need.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::io::DuplexStream;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trunkline_proto::access_token::AccessToken;

use super::super::{Hub, socket};
use super::script::Action;
use crate::account::{Account, AccountConfig};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::owner::Owner;
use crate::server::App;
use crate::state::events::Origin;
use crate::state::{Answer, ConversationFields, MessageFields, Mutation, ParticipantFields, State};
use crate::telephone::{Exchange, Services};
use crate::webhooks::{Dispatcher, Sender, Tell};

pub(super) const BOT: &str = "bot";
const ADA: &str = "ada";
const GUEST: &str = "guest";
const STARTED: i64 = 1_800_000_000;

pub(super) struct World {
    app: App,
    pub(super) tasks: TaskTracker,
    conversations: Mutex<Vec<String>>,
}

/// A message as it stands there in the end.
pub(super) struct Standing {
    pub(super) index: u64,
    pub(super) body: String,
    pub(super) created: Timestamp,
}

impl World {
    pub(super) fn start(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let account = Account::resolve(AccountConfig::default(), None, &mut random).unwrap();
        let clock = virtual_clock();
        let state = State::new(account.clone(), clock.clone(), random);
        let (faults, journal) = (Arc::new(Faults::default()), Arc::new(Journal::default()));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let sender = sender();
        let tell = Tell { journal: Arc::clone(&journal), clock: clock.clone() };
        let dispatcher = Dispatcher::new(sender.clone(), Arc::clone(&faults), tell, tasks.clone(), stop.clone());
        let (phones, _) = broadcast::channel(1);
        let owner = Owner {
            state,
            store: None,
            dispatcher: dispatcher.clone(),
            hub: Hub::new(Arc::clone(&journal), clock.clone()),
            phones: phones.clone(),
            delivery_delay: Duration::ZERO,
            deliveries: Vec::new(),
        };
        let (owner, run) = owner.split();
        tasks.spawn(run);
        let account = Arc::new(account);
        // Nobody calls in this world.
        let exchange = Exchange::new(Services {
            owner: owner.clone(),
            account: Arc::clone(&account),
            sender: sender.clone(),
            clock: clock.clone(),
            journal: Arc::clone(&journal),
            base_url: "http://emulator".into(),
            folder: std::path::PathBuf::new(),
            calls: TaskTracker::new(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            quit: stop.clone(),
        });
        let app = App {
            owner,
            exchange,
            account,
            sender,
            faults,
            dispatcher,
            phones,
            stop,
            connections: TaskTracker::new(),
            journal,
            next_socket: Arc::new(AtomicU64::new(1)),
            base_url: "http://emulator".into(),
            clock,
            loopback: true,
        };
        Self { app, tasks, conversations: Mutex::default() }
    }

    /// A token that is good for so many seconds from now.
    pub(super) fn token(&self, seconds: i64) -> String {
        let account = &self.app.account;
        let now = self.now().as_second();
        let token = AccessToken {
            account_sid: account.account_sid.to_string(),
            key_sid: account.api_key.to_string(),
            identity: BOT.to_owned(),
            chat_service_sid: Some(account.chat_service_sid.to_string()),
            issued_at: now,
            not_before: None,
            expires_at: now + seconds,
            region: None,
        };
        token.mint(account.api_secret.as_bytes())
    }

    /// Serves the server's end of a wire.
    pub(super) async fn serve(&self, end: DuplexStream) {
        let stream = WebSocketStream::from_raw_socket(end, Role::Server, None).await;
        self.tasks.spawn(socket::run(self.app.clone(), stream, "http://emulator".to_owned()));
    }

    /// The conversation of this number, of those that there are.
    pub(super) fn conversation(&self, number: usize) -> Option<String> {
        let conversations = self.conversations.lock().unwrap();
        conversations.get(number.checked_rem(conversations.len())?).cloned()
    }

    pub(super) async fn act(&self, action: Action) {
        match action {
            Action::Create => {
                let created = self.execute(Mutation::CreateConversation(ConversationFields::default())).await;
                let Some(Answer::Conversation(record)) = created else { panic!("it is created") };
                let conversation = record.sid.to_string();
                for identity in [ADA, BOT] {
                    self.add(&conversation, identity).await;
                }
                self.conversations.lock().unwrap().push(conversation);
            }
            Action::Say(number) => {
                let Some(conversation) = self.conversation(number) else { return };
                let body = Some(format!("person {:?}", Instant::now()));
                let fields = MessageFields { author: Some(ADA.to_owned()), body, ..MessageFields::default() };
                self.execute(Mutation::CreateMessage { conversation, fields }).await.unwrap();
            }
            Action::Change(number) => {
                let Some(conversation) = self.conversation(number) else { return };
                let Some(message) = self.first_message(&conversation).await else { return };
                let fields = MessageFields { attributes: Some("{}".to_owned()), ..MessageFields::default() };
                self.execute(Mutation::UpdateMessage { conversation, message, fields }).await.unwrap();
            }
            Action::ComeOrGo(number) => {
                let Some(conversation) = self.conversation(number) else { return };
                let participant = GUEST.to_owned();
                let goes = Mutation::RemoveParticipant { conversation: conversation.clone(), participant };
                if self.execute(goes).await.is_none() {
                    self.add(&conversation, GUEST).await;
                }
            }
            Action::BotSays(_) => panic!("the bot speaks for itself"),
        }
    }

    async fn add(&self, conversation: &str, identity: &str) {
        let fields = ParticipantFields { identity: Some(identity.to_owned()), ..ParticipantFields::default() };
        let conversation = conversation.to_owned();
        self.execute(Mutation::AddParticipant { conversation, fields }).await.unwrap();
    }

    async fn execute(&self, mutation: Mutation) -> Option<Answer> {
        let work = move |state: &mut State| state.execute(mutation, Origin::Rest { webhooks: false }).ok();
        self.app.owner.call(work).await.unwrap()
    }

    async fn first_message(&self, conversation: &str) -> Option<String> {
        let conversation = conversation.to_owned();
        let first = move |state: &mut State| {
            let conversation = state.conversation(&conversation).ok()?;
            conversation.messages.values().next().map(|message| message.sid.to_string())
        };
        self.app.owner.call(first).await.unwrap()
    }

    /// Every conversation, with its messages.
    pub(super) async fn messages(&self) -> Vec<(String, Vec<Standing>)> {
        let conversations = self.conversations.lock().unwrap().clone();
        let read = move |state: &mut State| {
            let standing = |conversation: &String| {
                let messages = state.conversation(conversation).unwrap().messages.values();
                messages
                    .map(|message| Standing {
                        index: message.index,
                        body: message.body.clone().unwrap_or_default(),
                        created: message.date_created,
                    })
                    .collect()
            };
            conversations.iter().map(|conversation| (conversation.clone(), standing(conversation))).collect()
        };
        self.app.owner.call(read).await.unwrap()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.app.clock.now()
    }
}

/// A clock that goes with the runtime's timer.
fn virtual_clock() -> Clock {
    let began = Instant::now();
    let started = Timestamp::from_second(STARTED).unwrap();
    Clock::from_fn(move || started.checked_add(began.elapsed()).unwrap())
}

/// Making one takes a while, and none of them ever sends.
fn sender() -> Sender {
    static SENDER: OnceLock<Sender> = OnceLock::new();
    SENDER.get_or_init(|| Sender::new("token".to_owned(), Duration::from_secs(5), Arc::default()).unwrap()).clone()
}
