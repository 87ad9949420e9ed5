//! Twilio's protocols as pure values.
//!
//! Nothing here opens a socket, reads a clock or knows a runtime: bytes and parameters come in as arguments, values go
//! out. That makes every rule testable by itself and lets the client and the emulator share the wire form without
//! sharing behaviour.
//!
//! | Module | Holds |
//! |---|---|
//! | [`sid`] | the identifiers that Twilio hands out |
//! | [`signature`] | who really sent this request |
//! | [`form`] | `application/x-www-form-urlencoded`, with limits |
//! | [`rest`] | the resources of the Conversations API as types |
//! | [`webhook`] | Conversations events as types |
//! | [`access_token`] | what a client shows when it connects in real time |
//! | [`twilsock`] | framed messages over one WebSocket |
//! | [`sync`] | documents, lists and maps that are followed over it |
//! | [`twiml`] | what a call is to do, as XML |
//! | [`conversations`] | what Conversations puts into them |
//! | [`media`] | the audio of a call over one WebSocket |
//! | [`relay`] | a call as text over one WebSocket |
//! | [`calls`] | the API of 2010: calls and what belongs to them |
//! | [`messaging`] | the API of 2010: messages, and their webhooks |

#![forbid(unsafe_code)]

pub mod access_token;
pub mod calls;
pub mod conversations;
pub mod form;
mod json;
pub mod media;
pub mod messaging;
pub mod relay;
pub mod rest;
pub mod sid;
pub mod signature;
pub mod sync;
pub mod twilsock;
pub mod twiml;
pub mod webhook;
pub mod websocket;
mod wire_enum;
