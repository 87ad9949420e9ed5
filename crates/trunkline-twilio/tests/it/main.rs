//! The client and the backend against servers that speak Twilio's documented JSON.

#[cfg(test)]
mod channel_messages;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod emulator;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod realtime;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod retries;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod voice;
#[cfg(test)]
mod webhooks;
