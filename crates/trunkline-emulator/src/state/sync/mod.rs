//! The real-time side of the state: Sync objects as views of it, and the events that tell of every change.
//!
//! There is no log of events. Each thing that an object shows knows the event that created it and the one that changed
//! it last, and what was removed leaves a mark. What a client missed since event N is then whatever has a later event;
//! so it survives a restart with the state itself. Events are numbered by one counter for all objects.
//!
//! | Object | Name | Shows |
//! |---|---|---|
//! | map | `US….channels` | the conversations that a user is in |
//! | map | `US….info` | name and attributes of a user |
//! | document | `CH….channel` | a conversation |
//! | list | `CH….messages` | its messages |
//! | map | `CH….roster` | its participants |

mod changes;
mod items;
mod log;
mod object;
mod permission;
mod replay;
mod subscriptions;
mod views;

pub(crate) use self::changes::{Change, Outgoing, SYNC_URL, SocketId, Subscribed, item_url};
pub(crate) use self::items::{ItemQuery, Page, Start};
pub(crate) use self::log::{ConversationLog, Log, Removals, Removed};
pub(crate) use self::object::ObjectId;
pub(crate) use self::subscriptions::{MAX_BATCH, News};
pub(crate) use self::views::{Item, ItemKey};
