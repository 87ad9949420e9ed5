//! What happens in a session, and when.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// Something that happens. Conversations are named by their number, of those that there are by then.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// A person writes.
    Say(usize),
    /// The bot writes.
    BotSays(usize),
    /// A message is changed.
    Change(usize),
    /// A conversation is made, with a person and the bot.
    Create,
    /// Somebody comes, or goes if they are there.
    ComeOrGo(usize),
}

/// Actions by their time since the start.
#[derive(Debug, Default)]
pub(super) struct Script(pub(super) VecDeque<(Duration, Action)>);

/// All of it happens within this time.
const LENGTH_MS: u64 = 25_000;

impl Script {
    pub(super) fn random(random: &mut StdRng) -> Self {
        let mut actions: Vec<(Duration, Action)> = (0..random.random_range(40..120))
            .map(|_| {
                let conversation = random.random_range(0..4);
                let action = match random.random_range(0..10) {
                    0..=4 => Action::Say(conversation),
                    5 | 6 => Action::BotSays(conversation),
                    7 => Action::Change(conversation),
                    8 => Action::ComeOrGo(conversation),
                    _ => Action::Create,
                };
                (Duration::from_millis(random.random_range(0..LENGTH_MS)), action)
            })
            .collect();
        actions.sort_by_key(|(at, _)| *at);
        Self(actions.into())
    }
}
