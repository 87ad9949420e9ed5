//! Who has a conversation open, and how their sessions hear that there is something to show.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use super::limits::MAX_SOCKETS_PER_VISITOR;

/// News that a session may be behind by; one that is further behind reads the log, which it does anyway.
const BEHIND: usize = 16;

/// News of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// There is more in its log.
    Lines,
    /// An answer is being made, or not any more.
    Typing(bool),
}

/// The conversations that somebody looks at. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<HashMap<String, Room>>>);

struct Room {
    pushes: broadcast::Sender<Push>,
    seats: usize,
    is_typing: bool,
}

impl Hub {
    /// Tells everyone who looks at `conversation`; nobody may.
    pub(crate) fn tell(&self, conversation: &str, push: Push) {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(room) = rooms.get_mut(conversation) else { return };
        if let Push::Typing(is_typing) = push
            && std::mem::replace(&mut room.is_typing, is_typing) == is_typing
        {
            return;
        }
        // Nobody may be left by now, which is fine.
        let _nobody = room.pushes.send(push).is_err();
    }

    /// Looks at `conversation` until the seat is dropped. `None` if its visitor has too many sockets open.
    pub(super) fn join(&self, conversation: &str) -> Option<Seat> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(conversation.to_owned()).or_insert_with(|| Room {
            pushes: broadcast::Sender::new(BEHIND),
            seats: 0,
            is_typing: false,
        });
        if room.seats >= MAX_SOCKETS_PER_VISITOR {
            return None;
        }
        room.seats += 1;
        let (pushes, is_typing) = (room.pushes.subscribe(), room.is_typing);
        Some(Seat { hub: self.clone(), conversation: conversation.to_owned(), pushes, is_typing })
    }
}

/// A session's place in a room.
pub(super) struct Seat {
    hub: Hub,
    conversation: String,
    pushes: broadcast::Receiver<Push>,
    /// Whether an answer was being made when the session came.
    pub(super) is_typing: bool,
}

impl Seat {
    /// The next news. Cancel-safe.
    pub(super) async fn next(&mut self) -> Push {
        match self.pushes.recv().await {
            Ok(push) => push,
            Err(broadcast::error::RecvError::Lagged(_)) => Push::Lines,
            // The room lives as long as this seat does.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.hub.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get_mut(&self.conversation) {
            room.seats -= 1;
            if room.seats == 0 {
                rooms.remove(&self.conversation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_in_a_room_hears_and_an_empty_room_is_forgotten() {
        let hub = Hub::default();
        hub.tell("a", Push::Lines);
        let mut seats: Vec<_> = (0..MAX_SOCKETS_PER_VISITOR).map(|_| hub.join("a").unwrap()).collect();
        assert!(hub.join("a").is_none(), "one too many");
        assert!(hub.join("b").is_some());
        hub.tell("a", Push::Typing(true));
        hub.tell("a", Push::Typing(true));
        hub.tell("a", Push::Lines);
        for seat in &mut seats {
            assert_eq!((seat.next().await, seat.next().await), (Push::Typing(true), Push::Lines));
        }
        drop(seats.pop());
        assert!(hub.join("a").unwrap().is_typing, "who comes later knows it as well");
        for _ in 0..=BEHIND {
            hub.tell("a", Push::Lines);
        }
        assert_eq!(seats.first_mut().unwrap().next().await, Push::Lines, "behind, so it reads the log");
        drop(seats);
        assert!(hub.0.lock().unwrap().is_empty());
    }
}
