//! Speech without an account or a network: programs of Debian's packages, run as child processes.
//!
//! They are the ear and the voice of a first run and of tests, with real sound. The voice is plain. The ear hears only
//! what its grammar holds: it is no recognizer for a service, and anything outside of the grammar is heard as something
//! inside of it, or not at all.

mod dictionary;
mod ear;
mod programs;
mod voice;

pub use ear::{Ear, OfflineRecognizer};
pub use voice::{OfflineSynthesizer, Voice};
