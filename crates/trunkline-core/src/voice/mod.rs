//! The contract of a voice backend: calls as sessions, their audio, their errors and their settings.
//!
//! The contract is *Voice Backend API* 1.0.0. Two things are added to it: [`VoiceBackend::stream_text`] for providers that
//! recognise and speak themselves, and [`VoiceBackend::control`] for what is done to a call from outside of its audio.

mod audio;
mod backend;
mod error;
mod session;
mod text;

pub use audio::{AudioEvent, AudioFrame, AudioStream, AudioTransport, FRAME_BYTES};
pub use backend::{ConnectionState, VoiceBackend};
pub use error::{ErrorCode, Operation, VoiceError};
pub use session::{
    AnsweredBy, CallControl, CallDirection, CallStatus, MachineDetection, RecordingMode, SessionConfig, SessionId,
    SessionState, VoiceSession, WebhookAnswer,
};
pub use text::{TextCommand, TextEvent, TextStream};

/// Builds a voice backend from its configuration.
pub type Factory = crate::Factory<dyn VoiceBackend, VoiceError>;
/// The voice providers that a program was built with.
pub type Registry = crate::Registry<dyn VoiceBackend, VoiceError>;
