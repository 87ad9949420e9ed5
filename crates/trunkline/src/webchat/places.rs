//! Places of sockets: so many in all, and so many of them for one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::codes;
use super::limits::network;

/// The places, and who has them. Cheap to clone.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    all: usize,
    per_address: usize,
}

/// Bounded, as every address in it has a place.
#[derive(Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All places are taken.
    All,
    /// This address has as many as one may have.
    Address,
}

impl Full {
    /// The code, and what is said to the page.
    pub(super) fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::All => (codes::TOO_MANY_SOCKETS, "too many sockets are open"),
            Self::Address => {
                (codes::ADDRESS_FULL, "too many sockets are open from this address; close one, or come back later")
            }
        }
    }
}

impl Places {
    pub(super) fn new(all: usize, per_address: usize) -> Self {
        Self { taken: Arc::default(), all, per_address }
    }

    /// A place for a socket of `peer`, until it is dropped.
    pub(super) fn take(&self, peer: IpAddr) -> Result<Place, Full> {
        let network = network(peer);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return Err(Full::All);
        }
        let of_address = taken.by_network.get(&network).copied().unwrap_or_default();
        if of_address >= self.per_address {
            return Err(Full::Address);
        }
        taken.by_network.insert(network, of_address + 1);
        taken.all += 1;
        Ok(Place { places: self.clone(), network })
    }
}

/// A socket's place.
pub(super) struct Place {
    places: Places,
    network: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_address) = taken.by_network.get_mut(&self.network) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leaves_places_to_the_others_and_what_is_left_is_free_again() {
        let places = Places::new(4, 2);
        let take = |peer: &str| places.take(peer.parse().unwrap());
        let home = [take("2001:db8::1").unwrap(), take("2001:db8::ffff:2").unwrap()];
        assert_eq!(take("2001:db8::3").err(), Some(Full::Address), "the same /64");
        let other = [take("2001:db8:0:1::1").unwrap(), take("192.0.2.1").unwrap()];
        assert_eq!(take("192.0.2.2").err(), Some(Full::All));
        drop(home);
        let mapped = take("::ffff:192.0.2.1").unwrap();
        assert_eq!(take("192.0.2.1").err(), Some(Full::Address), "the same address, written otherwise");
        drop((other, mapped));
        let taken = places.taken.lock().unwrap();
        assert!(taken.all == 0 && taken.by_network.is_empty());
    }
}
