//! Webhooks: what they say, how they are signed and sent, who is asked before a change, and who is told after it.

mod dispatcher;
pub(crate) mod params;
mod pre;
mod sender;

pub(crate) use self::dispatcher::{Dispatcher, Tell};
pub(crate) use self::pre::ask;
pub(crate) use self::sender::{Fetched, SendError, Sender};
