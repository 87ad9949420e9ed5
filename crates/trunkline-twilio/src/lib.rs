//! Twilio as a messaging backend.

#![forbid(unsafe_code)]

pub mod rest;
