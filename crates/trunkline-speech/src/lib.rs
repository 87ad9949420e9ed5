//! Recognition, synthesis and speech-to-speech.
//!
//! Three traits, and engines for them: programs of this machine that need no account ([`offline`]), and clients of
//! providers, each over its documented protocol. All audio is telephone audio: G.711 μ-law, 8 kHz, one channel.
//!
//! | Module | Holds |
//! |---|---|
//! | [`live`] | audio that must not wait: the newest is kept, the oldest dropped and counted |
//! | [`recognition`] | the trait [`Recognizer`]: audio in, words out while it is spoken |
//! | [`synthesis`] | the trait [`Synthesizer`]: text in, audio out as it is made |
//! | [`dialogue`] | the trait [`SpeechModel`]: audio in, audio out, from one model |
//! | [`offline`] | flite or espeak-ng speak, pocketsphinx listens |
//! | [`deepgram`] | Deepgram listens, streaming |
//! | [`elevenlabs`] | ElevenLabs speaks |
//! | [`openai`] | a server with OpenAI's API listens, speaks, or does both at once |

#![forbid(unsafe_code)]

pub mod deepgram;
pub mod dialogue;
pub mod elevenlabs;
mod error;
pub mod live;
pub mod offline;
pub mod openai;
mod provider;
pub mod recognition;
pub mod synthesis;
mod tasks;
mod utterances;

pub use dialogue::SpeechModel;
pub use error::SpeechError;
pub use provider::Timeouts;
pub use recognition::Recognizer;
pub use synthesis::Synthesizer;
pub use trunkline_core::Vocabulary;
