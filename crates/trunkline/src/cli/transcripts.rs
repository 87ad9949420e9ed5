//! `trunkline transcripts`: what was said in calls and conversations.

use std::process::ExitCode;

use clap::Subcommand;

use super::failed;
use super::gateway_api::GatewayApi;
use super::knowledge::{CommonArgs, found};
use super::run::runtime;

#[derive(Subcommand)]
pub(super) enum TranscriptsCommand {
    /// Finds what was said
    Search {
        #[command(flatten)]
        common: CommonArgs,
        /// Only with this person, by the id that `trunkline contacts list` shows
        #[arg(long, value_name = "ID")]
        contact: Option<String>,
        /// Only in calls (`transcript`) or in texts (`conversation`)
        #[arg(long, value_parser = ["transcript", "conversation"])]
        kind: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// What to look for
        words: String,
    },
}

pub(super) fn run(command: &TranscriptsCommand) -> ExitCode {
    let TranscriptsCommand::Search { common, contact, kind, limit, words } = command;
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let api = match GatewayApi::open(&common.gateway) {
        Ok(api) => api,
        Err(code) => return code,
    };
    let limit = limit.to_string();
    let mut query = vec![("q", words.as_str()), ("limit", limit.as_str())];
    query.extend(contact.as_deref().map(|id| ("contact", id)));
    query.extend(kind.as_deref().map(|kind| ("kind", kind)));
    match runtime.block_on(api.get(&["transcripts", "search"], &query)) {
        Ok(page) => {
            found(&page, common.json);
            ExitCode::SUCCESS
        }
        Err(reason) => failed(&reason),
    }
}
