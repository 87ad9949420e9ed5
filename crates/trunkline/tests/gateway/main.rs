//! The whole program over real sockets: an emulator, a gateway, people with phones.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that finds something else fails here")]

mod agents;
mod bench;
mod bus;
mod bus_api;
mod calls;
mod care;
mod changes;
mod chat_agents;
mod command_line;
mod compliance;
mod configuration;
mod console;
mod edge;
mod faults;
mod handlers;
mod http_agent;
mod knowledge;
mod lanes;
mod library;
mod logs;
mod long_answers;
mod media;
mod media_messaging;
mod messaging;
mod one_person;
mod outage;
mod people;
mod rates;
mod realtime;
mod recall;
mod recovery;
mod routes;
mod rust_tool;
mod scenarios;
mod scheduled;
mod schemas;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod telemetry;
mod telemetry_voice;
mod tools;
mod webchat;
mod webchat_strangers;
mod workflows;
