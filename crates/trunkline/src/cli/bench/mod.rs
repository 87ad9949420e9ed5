//! `trunkline bench`: a load generator in a process of its own, with a report.
//!
//! The server under load is a child process, so that its processor time can be read from `/proc` and is its own.
//! Loads are bounded in count and go to 127.0.0.1 only.

mod calls;
mod child;
mod null_bus;
mod realtime;
mod report;
mod target;
mod texts;
mod webhooks;
mod wire;
mod workflows;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::failed;
use super::run::runtime;

#[derive(Subcommand)]
pub(super) enum BenchCommand {
    /// Verified webhooks: stored by group commit, against stored one by one, against not stored
    Webhooks(WebhookArgs),
    /// From a person's text to the answer on their phone, through gateway and emulator
    Texts(TextArgs),
    /// From an event to the first step of the workflow that it starts
    Workflows(WorkflowArgs),
    /// Many clients with a socket: memory, messages, and how soon an agent is called
    Realtime(RealtimeArgs),
    /// Calls with audio both ways: what a frame costs, how long it takes, and what a call holds
    Calls(CallArgs),
    /// The server that `calls` puts under load
    #[command(hide = true)]
    CallsServer(CallServerArgs),
    /// The server that `webhooks` puts under load
    #[command(hide = true)]
    Target(TargetArgs),
}

#[derive(Args)]
pub(super) struct WebhookArgs {
    /// Webhooks of each measurement; a tenth of it where each is stored by itself
    #[arg(long, default_value_t = 60_000)]
    requests: usize,
    /// Connections that are kept open
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct TextArgs {
    /// Texts a second, over all phones
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Seconds of load
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Phones that text in turn
    #[arg(long, default_value_t = 50)]
    phones: usize,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct WorkflowArgs {
    /// Events a second
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Seconds of load
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct RealtimeArgs {
    /// Clients that are connected at once; two share each conversation
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(2..=4000))]
    identities: u32,
    /// Conversations of each client
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=50))]
    conversations: u32,
    /// Clients that receive messages, each from the one that shares its conversations; at most half of all
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    receivers: u32,
    /// Messages a second, over all receivers
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Seconds of messages
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,
    /// Texts of which it is measured when the agent is called; 0 for none
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    texts: u32,
    /// An emulator on this machine to use, in place of one of its own (`http://127.0.0.1:8090`)
    #[arg(long, value_name = "URL")]
    emulator: Option<String>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct CallArgs {
    /// Calls at once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=4000))]
    calls: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// What is measured
    #[arg(long, default_value = "transport")]
    path: CallPath,
    /// Measure a bare echo, a Node.js handler and both paths of ours by turns, three times, and compare
    #[arg(long)]
    peers: bool,
    /// Search how many calls one processor carries with nothing lost and a p99 under 20 ms; with `--peers` Node.js too
    #[arg(long)]
    most: bool,
    /// Folder of the peers, as in the repository; with `ws` installed there
    #[arg(long, default_value = "benches/peers", value_name = "FOLDER")]
    peers_dir: std::path::PathBuf,
    /// Very short calls, one after another, instead: everything of them must be gone afterwards
    #[arg(long, value_name = "CALLS", conflicts_with_all = ["peers", "most"])]
    leak: Option<u32>,
    /// Scripted callers of an emulator instead, which is a process of its own: they ask, are answered and talk over the
    /// answers of the pipeline for so many seconds
    #[arg(long, conflicts_with_all = ["peers", "most", "leak"])]
    scripted: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct CallServerArgs {
    /// What is behind the socket
    #[arg(long)]
    path: CallPath,
    /// Folder of store and bus
    #[arg(long)]
    data_dir: std::path::PathBuf,
    /// Base URL of the emulator that stands for Twilio
    #[arg(long)]
    emulator: String,
}

/// What is behind the socket of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CallPath {
    /// An echo: socket, messages, codec, ledger.
    Transport,
    /// Everything but recognizer, agent and voice of a provider.
    Pipeline,
}

#[derive(Args)]
pub(super) struct TargetArgs {
    /// What becomes of a verified webhook
    #[arg(long)]
    mode: Mode,
    /// Folder of the bus
    #[arg(long)]
    data_dir: std::path::PathBuf,
    /// Base URL of the emulator that stands for Twilio
    #[arg(long)]
    emulator: String,
}

/// What becomes of a verified webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Nothing is stored.
    Nothing,
    /// Stored before the answer, concurrent ones in one commit.
    Shared,
    /// Stored before the answer, each in a commit of its own.
    Single,
}

pub(super) fn run(command: BenchCommand) -> ExitCode {
    match command {
        BenchCommand::Target(args) => target::run(&args),
        BenchCommand::CallsServer(args) => calls::serve(&args),
        BenchCommand::Calls(args) => report(|| async move { calls::run(&args).await }),
        BenchCommand::Webhooks(args) => report(|| async move { webhooks::run(&args).await }),
        BenchCommand::Texts(args) => report(|| async move { texts::run(&args).await }),
        BenchCommand::Workflows(args) => report(|| async move { workflows::run(&args).await }),
        BenchCommand::Realtime(args) => report(|| async move { realtime::run(&args).await }),
    }
}

fn report<W: Future<Output = Result<(), String>>>(work: impl FnOnce() -> W) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(work()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason),
    }
}
