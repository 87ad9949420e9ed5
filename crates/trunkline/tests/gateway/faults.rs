//! Every fault that the emulator knows, at each place where it can strike: each text has one answer, in order, and
//! nothing is left over. `docs/faults.md` tells what people see of it; it is held against the faults and the tests here.

mod requests;
mod sockets;
mod table;
mod webhooks;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{IDENTITY, NUMBER, World, outbox, recorded, until};
use crate::{messaging, realtime};

/// By which way texts come and answers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Conversations,
    /// Conversations, with the bot at the socket, over which it sends.
    Socket,
    Messaging,
}

/// A world that faults strike, and people who text in it, one for each case.
struct Stage {
    way: Way,
    world: World,
    people: u32,
}

/// What is the case when a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Person {
    /// Somebody who has been answered before; two texts come one behind the other.
    Known,
    /// Their first two texts come one behind the other.
    New,
    /// Somebody who has been answered before, and who waits for each answer before they write again.
    Patient,
}

impl Stage {
    async fn set_up(way: Way, env: &[(&str, &str)]) -> Self {
        let mut env = env.to_vec();
        let world = match way {
            Way::Conversations => World::start(&env).await,
            Way::Socket => {
                env.push(("TRUNKLINE_SEND_BY", "socket"));
                realtime::connected(&env).await
            }
            Way::Messaging => {
                env.push(("TRUNKLINE_MESSAGING_NUMBERS", NUMBER));
                messaging::world(&env).await
            }
        };
        Self { way, world, people: 0 }
    }

    async fn text(&self, phone: &str, number: usize) {
        let sent = json!({"from": phone, "body": format!("text {number}")});
        self.world.control(Method::POST, "/messages", sent).await;
    }

    async fn expect(&self, phone: &str, numbers: std::ops::RangeInclusive<usize>) {
        let expected: Vec<_> = numbers.map(|number| format!("answer {number}")).collect();
        self.world.expect_answers(phone, &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    /// The next person, who was answered once unless they are new.
    async fn next_person(&mut self, person: Person) -> String {
        self.people += 1;
        let phone = format!("+1555000{:04}", self.people);
        if person != Person::New {
            self.text(&phone, 1).await;
            self.expect(&phone, 1..=1).await;
            if self.way == Way::Socket {
                self.in_conversations().await;
            }
        }
        phone
    }

    async fn in_conversations(&self) {
        until("the bot is in every conversation", async || {
            let state = realtime::connector(&self.world).await;
            (state["open_conversations"] == self.people).then_some(())
        })
        .await;
    }

    /// Two texts of somebody while a fault strikes, at most as often as its `count` says.
    async fn strike(&mut self, person: Person, rule: Value) {
        let phone = self.next_person(person).await;
        let fault = self.world.fault(rule).await;
        self.text(&phone, 2).await;
        let first = if person == Person::New { 2 } else { 1 };
        if person == Person::Patient {
            self.expect(&phone, first..=2).await;
        } else if self.way == Way::Messaging {
            // Nothing counts texts on this way, and the webhooks of two may overtake each other by themselves.
            let (folder, texts) = (self.world.data_dir(), i64::from(person != Person::New) + 1);
            until("the text is recorded", async || (recorded(&folder, &phone) == texts).then_some(())).await;
        }
        self.text(&phone, 3).await;
        self.expect(&phone, first..=3).await;
        self.struck(fault).await;
        self.nothing_is_left(&phone, first).await;
    }

    /// Waits until a fault has struck, and ends it.
    async fn struck(&self, fault: u64) {
        until("the fault has struck", async || (self.world.fault_hits(fault).await > 0).then_some(())).await;
        self.end(fault).await;
    }

    async fn end(&self, fault: u64) {
        self.world.control(Method::DELETE, &format!("/faults/{fault}"), Value::Null).await;
    }

    /// Nothing waits to be sent, nothing has failed, and no second answer came while that was found out.
    async fn nothing_is_left(&self, phone: &str, first: usize) {
        let folder = self.world.data_dir();
        let waiting = || outbox(&folder, "pending") + outbox(&folder, "sending");
        until("the outbox is empty", async || (waiting() == 0).then_some(())).await;
        assert_eq!(outbox(&folder, "failed"), 0);
        assert_eq!(self.world.api("/api/v1/status").await["dead_letters"], 0);
        self.expect(phone, first..=3).await;
    }

    /// The bot's sockets end without a word.
    async fn cut_sockets(&self) {
        self.world.control(Method::POST, &format!("/realtime/cut?identity={IDENTITY}"), Value::Null).await;
    }
}
