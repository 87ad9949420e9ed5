//! What a stranger may ask of the web chat.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::process::open_files;

/// The longest text of a message, in bytes of UTF-8.
pub(super) const MAX_TEXT_BYTES: usize = 4 << 10;
/// The longest name that a page may give a message, in bytes.
pub(super) const MAX_ID_BYTES: usize = 64;
/// The longest token that is looked up, in bytes; ours have 64.
pub(super) const MAX_TOKEN_BYTES: usize = 128;
/// The largest frame that is read, in bytes: a text in which JSON has escaped every byte, and what is around it.
pub(super) const MAX_FRAME_BYTES: usize = 32 << 10;
/// What a socket reads at once, in bytes.
pub(super) const READ_BUFFER_BYTES: usize = 4 << 10;
/// Frames without sense before a socket is closed.
pub(super) const MAX_BAD_FRAMES: u32 = 5;
/// Sockets of one visitor: tabs and windows.
pub(super) const MAX_SOCKETS_PER_VISITOR: usize = 8;
/// Lines that a `welcome` brings; older ones stay where they are.
pub(super) const HISTORY: u32 = 200;
/// How long a silent socket is kept.
pub(super) const PATIENCE: Patience =
    Patience { hello: Duration::from_secs(10), ping_every: Duration::from_secs(25), idle: Duration::from_secs(80) };
/// How long a socket may take to take a frame.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Signs of typing that are passed on: at most one in this time.
pub(super) const TYPING_EVERY: Duration = Duration::from_secs(1);

/// Sockets that may be open at once, if the system has files for four times as many.
const MAX_SOCKETS: u64 = 2048;
/// Sockets of one address (IPv6: one /64), unless more visitors may come from it within a minute.
const MAX_SOCKETS_PER_ADDRESS: usize = 64;
/// Messages of one visitor within a minute; as many may come at once.
const MESSAGES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Visitors, and addresses, that are counted at once. Beyond them the new ones wait.
const MAX_COUNTED: usize = 16_384;

/// How long sockets are waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// How long a socket may take until its `hello`.
    pub(super) hello: Duration,
    /// How often a socket is asked whether anybody is there.
    pub(super) ping_every: Duration,
    /// A socket of which nothing was heard for so long is closed.
    pub(super) idle: Duration,
}

/// A quarter of the files that may be open: the rest is for requests, for the databases and for calls elsewhere.
pub(super) fn max_sockets() -> usize {
    let limit = open_files().map_or(MAX_SOCKETS, |files| (files / 4).clamp(1, MAX_SOCKETS));
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Behind a proxy all visitors have one address: who raises the number of new visitors for it has it hold their sockets.
pub(super) fn max_sockets_per_address(visitors_per_minute: NonZeroU32) -> usize {
    usize::try_from(visitors_per_minute.get()).unwrap_or(usize::MAX).max(MAX_SOCKETS_PER_ADDRESS)
}

/// Who has written how much.
pub(super) struct Limits {
    messages: Counted<String>,
    visitors: Counted<IpAddr>,
}

impl Limits {
    pub(super) fn new(visitors_per_minute: NonZeroU32) -> Self {
        Self { messages: Counted::new(MESSAGES_PER_MINUTE), visitors: Counted::new(visitors_per_minute) }
    }

    /// Whether the visitor of `conversation` may write one more message now.
    pub(super) fn may_write(&self, conversation: &str) -> bool {
        self.messages.allows(&conversation.to_owned())
    }

    /// Whether one more visitor may come from `peer` now.
    pub(super) fn may_come(&self, peer: IpAddr) -> bool {
        self.visitors.allows(&network(peer))
    }
}

/// A home has as many IPv6 addresses as it likes: what counts is its network.
pub(super) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
    }
}

/// So many a minute for each key, and a bounded number of keys.
struct Counted<K: Hash + Eq + Clone>(DefaultKeyedRateLimiter<K>);

impl<K: Hash + Eq + Clone> Counted<K> {
    fn new(per_minute: NonZeroU32) -> Self {
        Self(RateLimiter::keyed(Quota::per_minute(per_minute)))
    }

    fn allows(&self, key: &K) -> bool {
        if self.0.len() >= MAX_COUNTED {
            self.0.retain_recent();
            if self.0.len() >= MAX_COUNTED {
                return false;
            }
        }
        self.0.check_key(key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_fixed_number_of_sockets_unless_more_may_come() {
        let of = |visitors| max_sockets_per_address(NonZeroU32::new(visitors).unwrap());
        assert_eq!((of(1), of(30), of(64), of(500)), (64, 64, 64, 500));
    }

    #[test]
    fn each_key_has_its_own_count_and_keys_are_bounded() {
        let limits = Limits::new(NonZeroU32::new(2).unwrap());
        let home: IpAddr = "2001:db8::1".parse().unwrap();
        assert!(limits.may_come(home) && limits.may_come("2001:db8::ffff:2".parse().unwrap()));
        assert!(!limits.may_come(home));
        assert!(limits.may_come("2001:db8:0:1::1".parse().unwrap()));
        assert!(limits.may_come("::ffff:192.0.2.1".parse().unwrap()));
        assert!(limits.may_come("192.0.2.1".parse().unwrap()) && !limits.may_come("192.0.2.1".parse().unwrap()));

        for number in 0..MAX_COUNTED {
            assert!(limits.may_write(&number.to_string()));
        }
        assert!(!limits.may_write("one more"), "all the others wrote just now");
    }
}
