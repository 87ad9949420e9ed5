//! The command line. Standard output is data, standard error is talk. Exit codes: 0 done, 1 it did not work out,
//! 2 the command line is wrong, 64 the configuration is wrong.

mod bench;
mod call;
mod check;
mod contacts;
mod conversations;
mod dlq;
mod emulator;
mod gateway_api;
mod knowledge;
mod messages;
mod replay;
mod run;
mod scenarios;
mod text;
mod transcripts;
mod up;
mod wiring;
mod workflow;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Connects AI agents to phone calls, SMS, WhatsApp and chat through Twilio.
#[derive(Parser)]
#[command(name = "trunkline", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Gateway, emulator, demo agent and console on this machine: no account, no network
    Up(UpArgs),
    /// The gateway alone, against Twilio or any base URL
    Serve(ServeArgs),
    /// The emulator alone: a local Twilio for anyone's tests
    Emulator(EmulatorArgs),
    /// Checks settings, credentials, webhook wiring and engines, and says what to mend
    Check(ServeArgs),
    /// Texts as a person, and prints the answers
    Text(TextArgs),
    /// Calls as a person who follows a script, and prints a timeline
    Call(CallArgs),
    /// Conversations of a running gateway: list, show, close, export, take, resume, agent
    #[command(subcommand)]
    Conversations(conversations::ConversationsCommand),
    /// People of a running gateway: list, show, link, unlink, export, erase
    #[command(subcommand)]
    Contacts(contacts::ContactsCommand),
    /// Documents that a running gateway's agents answer from: add, list, remove, search
    #[command(subcommand)]
    Knowledge(knowledge::KnowledgeCommand),
    /// What was said in calls and conversations of a running gateway
    #[command(subcommand)]
    Transcripts(transcripts::TranscriptsCommand),
    /// Reads a PDF from standard input and prints its text: what the gateway has read documents with
    #[command(hide = true)]
    PdfText {
        /// Memory that it may take, in bytes
        #[arg(long, value_name = "BYTES", default_value_t = trunkline::knowledge::pdf_text::MAX_MEMORY)]
        max_memory: u64,
    },
    /// Messages by a running gateway
    #[command(subcommand)]
    Messages(messages::MessagesCommand),
    /// Workflows: definitions checked, runs of a running gateway
    #[command(subcommand)]
    Workflow(workflow::WorkflowCommand),
    /// Tries the agents of the configuration with scripted people: texts and calls against a local Twilio
    Test(scenarios::TestArgs),
    /// Has an agent answer what was said before, and shows the difference; nothing is sent
    Replay(replay::ReplayArgs),
    /// What could not be dealt with and waits for you
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Measures this machine: what a webhook costs, how fast a text is answered, what sockets cost
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

/// Settings of the gateway that have a flag; every other one has a variable and a place in the file.
#[derive(Args, Clone, Default)]
struct ServeArgs {
    /// Address of the gateway [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Folder of the store and the bus [default: .trunkline]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file [default: trunkline.toml if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args)]
struct UpArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Address of the emulator [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDR")]
    emulator_listen: Option<SocketAddr>,
}

#[derive(Args)]
struct EmulatorArgs {
    /// Address of the emulator; one that other machines reach opens its control API to them
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// File that keeps everything across restarts; in memory when not given
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
}

#[derive(Args)]
struct TextArgs {
    /// Base URL of the emulator
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8090")]
    emulator: String,
    /// The person's number
    #[arg(long, value_name = "NUMBER", default_value = "+15550001111")]
    from: String,
    /// Our number; the account's own when not given
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// `sms` or `whatsapp`; a number with `whatsapp:` in front says it too
    #[arg(long, value_name = "CHANNEL", default_value = "sms", value_parser = ["sms", "whatsapp"])]
    channel: String,
    /// Print each answer as a JSON object
    #[arg(long)]
    json: bool,
    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// What to say
    body: String,
}

#[derive(Args)]
struct CallArgs {
    /// Script, in TOML or JSON: from, to, record, and the steps (see docs/emulator.md)
    script: Option<PathBuf>,
    /// Instead of a script: what to say, one after the other, each after an answer
    #[arg(long, value_name = "TEXT", conflicts_with = "script")]
    say: Vec<String>,
    /// Base URL of the emulator
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8090")]
    emulator: String,
    /// The person's number, instead of the script's; +15550001111 if neither says
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// The number to call, instead of the script's; the account's own if neither says
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// Print the whole result as a JSON object
    #[arg(long)]
    json: bool,
    /// How long the call may last, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

#[derive(Subcommand)]
enum DlqCommand {
    /// Lists what waits: id, when, code, reason; never what people wrote
    List {
        #[command(flatten)]
        serve: ServeArgs,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// At most this many, the oldest first
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Puts dead letters back where they came from
    Replay {
        #[command(flatten)]
        serve: ServeArgs,
        /// All that wait
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Their ids, as `list` prints them
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
    },
}

/// The command worked, but what was asked for did not work out.
const FAILED: u8 = 1;
/// `EX_USAGE` of sysexits.h: the configuration is wrong.
const MISCONFIGURED: u8 = 64;

pub(crate) fn run() -> ExitCode {
    let command = Cli::parse().command;
    trunkline::keep_files_private();
    match command {
        Command::Up(args) => up::run(&args),
        Command::Serve(args) => run::serve(&args),
        Command::Emulator(args) => emulator::run(args),
        Command::Check(args) => check::run(&args),
        Command::Text(args) => text::run(&args),
        Command::Call(args) => call::run(&args),
        Command::Conversations(command) => conversations::run(&command),
        Command::Contacts(command) => contacts::run(&command),
        Command::Knowledge(command) => knowledge::run(&command),
        Command::Transcripts(command) => transcripts::run(&command),
        Command::PdfText { max_memory } => pdf_text(max_memory),
        Command::Messages(command) => messages::run(&command),
        Command::Workflow(command) => workflow::run(&command),
        Command::Test(args) => scenarios::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Dlq(command) => dlq::run(command),
        Command::Bench(command) => bench::run(command),
    }
}

fn pdf_text(max_memory: u64) -> ExitCode {
    let code = trunkline::knowledge::pdf_text::run(max_memory);
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Data: a line on standard output. A reader that has gone away ends the talk, not the work.
fn print(line: &str) {
    use std::io::Write as _;
    let _closed = writeln!(std::io::stdout(), "{line}").is_err();
}

/// Talk: a line on standard error.
fn say(line: &str) {
    use std::io::Write as _;
    let _closed = writeln!(std::io::stderr(), "{line}").is_err();
}

/// Says every problem of a configuration.
fn misconfigured(error: &trunkline_core::ConfigError) -> ExitCode {
    say("the configuration cannot be used:");
    for problem in error.problems() {
        say(&format!("  {problem}"));
    }
    ExitCode::from(MISCONFIGURED)
}

fn failed(what: &str) -> ExitCode {
    say(&format!("trunkline: {what}"));
    ExitCode::from(FAILED)
}
