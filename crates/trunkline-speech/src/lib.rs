//! Recognition, synthesis and speech-to-speech.

#![forbid(unsafe_code)]
