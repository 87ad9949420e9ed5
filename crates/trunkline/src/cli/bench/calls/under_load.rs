//! A server of a measurement: ours on either path, or a peer.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use trunkline_emulator::Emulator;

use super::super::CallPath;
use super::super::child::{Folder, Server, free_port};
use super::cores::Cores;
use super::wire::Address;

const START_PATIENCE: Duration = Duration::from_secs(20);

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// A bare echo.
    Floor,
    /// A handler in Node.js.
    Node,
    /// We.
    Ours(CallPath),
}

impl Who {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "bare echo",
            Self::Node => "Node.js ws",
            Self::Ours(CallPath::Transport) => "transport",
            Self::Ours(CallPath::Pipeline) => "pipeline",
        }
    }
}

/// The Twilio of a server under load.
#[derive(Debug, Clone)]
pub(super) struct Twilio {
    pub(super) url: String,
    pub(super) account_sid: String,
    pub(super) auth_token: String,
    pub(super) phone_number: String,
}

impl Twilio {
    pub(super) fn of(emulator: &Emulator) -> Self {
        let account = emulator.account();
        Self {
            url: emulator.url().to_owned(),
            account_sid: account.account_sid.to_string(),
            auth_token: account.auth_token.clone(),
            phone_number: account.phone_number.clone(),
        }
    }
}

/// A server that runs, on a processor of its own.
pub(super) struct UnderLoad {
    pub(super) server: Server,
    pub(super) address: Address,
    _folder: Folder,
}

impl UnderLoad {
    pub(super) async fn start(who: Who, cores: Cores, twilio: &Twilio, peers: &Path) -> Result<Self, String> {
        let (folder, port) = (Folder::new()?, free_port()?);
        let host = format!("127.0.0.1:{port}");
        let (server, credentials) = match who {
            Who::Floor => {
                let program = std::env::current_exe().map_err(|error| error.to_string())?;
                let program = program.with_file_name("examples").join("peer-floor");
                if !program.is_file() {
                    return Err("the bare echo is not built: cargo build --release -p trunkline --example peer-floor \
                                (and run this program from the same target folder)"
                        .to_owned());
                }
                (cores.start(|| Server::start_program(Command::new(program).arg(&host), &[]))?, None)
            }
            Who::Node => {
                if !peers.join("node_modules/ws").is_dir() {
                    return Err(format!("ws is not installed: npm ci --prefix {}", peers.display()));
                }
                let mut command = Command::new("node");
                command.arg(peers.join("media.mjs")).args(["127.0.0.1", &port.to_string()]);
                (cores.start(|| Server::start_program(&mut command, &[]))?, None)
            }
            Who::Ours(path) => {
                let path = match path {
                    CallPath::Transport => "transport",
                    CallPath::Pipeline => "pipeline",
                };
                let args = ["bench", "calls-server", "--path", path, "--data-dir", &folder.path()];
                let args = [args.as_slice(), &["--emulator", &twilio.url]].concat();
                let env = [
                    ("TWILIO_ACCOUNT_SID", twilio.account_sid.clone()),
                    ("TWILIO_AUTH_TOKEN", twilio.auth_token.clone()),
                    ("TWILIO_PHONE_NUMBER", twilio.phone_number.clone()),
                    ("TWILIO_WEBHOOK_URL", format!("http://{host}/webhooks/twilio")),
                    ("TRUNKLINE_VOICE", "true".to_owned()),
                    ("TRUNKLINE_MAX_CALLS", "5000".to_owned()),
                    ("TRUNKLINE_LISTEN", host.clone()),
                    ("TRUNKLINE_DATA_DIR", folder.path()),
                ];
                let credentials = (twilio.account_sid.clone(), twilio.auth_token.clone());
                (cores.start(|| Server::start(&args, &env))?, Some(credentials))
            }
        };
        let deadline = Instant::now() + START_PATIENCE;
        while TcpStream::connect(&host).is_err() {
            if Instant::now() > deadline {
                return Err(format!("the server under load ({}) did not start", who.name()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The backend and its prompts are ready a moment after the port is open.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(Self { server, address: Address { host, credentials }, _folder: folder })
    }
}
