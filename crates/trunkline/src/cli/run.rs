//! Running until a signal: what the commands share, and `trunkline serve`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use trunkline::config::{Reader, SETTINGS, Setting, Settings, TOKEN_FILE};
use trunkline::telemetry::Telemetry;
use trunkline::{Gateway, GatewayError, Server};
use trunkline_core::ConfigError;

use super::{FAILED, MISCONFIGURED, ServeArgs, failed, misconfigured, print, say};

const DEFAULT_FILE: &str = "trunkline.toml";

/// The setting with this place in the file.
pub(super) fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The same reader with a flag; `None` changes nothing.
pub(super) fn with_flag(reader: Reader, key: &str, value: Option<String>) -> Reader {
    match setting(key) {
        Some(setting) => reader.with_flag(setting, value),
        None => reader,
    }
}

/// A reader over file, environment and flags.
pub(super) fn reader(args: &ServeArgs) -> Result<Reader, ConfigError> {
    let path = args.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let mut reader = Reader::from_process().with_file_path(path.clone());
    match std::fs::read_to_string(&path) {
        Ok(text) => reader = reader.with_file(&text)?,
        Err(error) if args.config.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let mut problem = ConfigError::new();
            problem.add(path.display().to_string(), format!("cannot be read: {error}"));
            return Err(problem);
        }
    }
    reader = with_flag(reader, "gateway.listen", args.listen.map(|address| address.to_string()));
    let folder = args.data_dir.as_ref().map(|path| path.display().to_string());
    Ok(with_flag(reader, "gateway.data_dir", folder))
}

/// The settings of a gateway that this program runs.
pub(super) fn settings(reader: &Reader) -> Result<Settings, ConfigError> {
    let mut settings = Settings::load(reader)?;
    if settings.knowledge.pdf.is_none() {
        // This very program reads PDFs, in a process of its own.
        let program = std::env::current_exe().ok();
        settings.knowledge.pdf = program.map(|program| vec![program.display().to_string(), "pdf-text".to_owned()]);
    }
    Ok(settings)
}

/// Settings and telemetry, both outside of a runtime.
pub(super) fn prepare(reader: &Reader) -> Result<(Settings, Telemetry), ExitCode> {
    let settings = settings(reader).map_err(|error| misconfigured(&error))?;
    let telemetry = Telemetry::new(&settings.telemetry).map_err(|error| {
        say(&format!("trunkline: {error}"));
        ExitCode::from(MISCONFIGURED)
    })?;
    telemetry.install_logs(&settings.telemetry);
    Ok((settings, telemetry))
}

/// A runtime, with room for its sockets.
pub(super) fn runtime() -> Result<Runtime, ExitCode> {
    trunkline::raise_open_files();
    Builder::new_multi_thread().enable_all().build().map_err(|error| failed(&format!("no runtime: {error}")))
}

pub(super) fn serve(args: &ServeArgs) -> ExitCode {
    serve_until_signal(args).unwrap_or_else(|code| code)
}

fn serve_until_signal(args: &ServeArgs) -> Result<ExitCode, ExitCode> {
    let reader = reader(args).map_err(|error| misconfigured(&error))?;
    let (settings, telemetry) = prepare(&reader)?;
    let runtime = runtime()?;
    let console = ConsoleLink::new(&settings);
    let code = runtime.block_on(async {
        let gateway = match start(settings, &telemetry).await {
            Ok(gateway) => gateway,
            Err(error) => return start_failed(&error),
        };
        print(&format!("gateway   http://{}", gateway.address()));
        print(&format!("console   {}", console.link(&gateway)));
        if let Some(url) = gateway.chat_url() {
            print(&format!("chat      {url}"));
        }
        until_signal().await;
        stop(gateway).await
    });
    runtime.shutdown_background();
    telemetry.shutdown();
    Ok(code)
}

/// How the console is told of. What a service prints is kept by whoever runs it, so the token is shown to a terminal
/// only.
enum ConsoleLink {
    WithToken,
    Without { token: String },
}

impl ConsoleLink {
    fn new(settings: &Settings) -> Self {
        if std::io::stdout().is_terminal() {
            return Self::WithToken;
        }
        let token = match &settings.console.token {
            Some(_) => "the configured one".to_owned(),
            None => format!("in {}", settings.data_dir.join(TOKEN_FILE).display()),
        };
        Self::Without { token }
    }

    fn link(&self, gateway: &Gateway) -> String {
        match self {
            Self::WithToken => gateway.console_url().to_owned(),
            Self::Without { token } => format!("http://{}/   (token: {token})", gateway.address()),
        }
    }
}

async fn start(settings: Settings, telemetry: &Telemetry) -> Result<Gateway, GatewayError> {
    let server = Server::bind(settings.listen).await?;
    Gateway::start(settings, server, telemetry).await
}

/// Stops a gateway in stages; a second signal ends at once.
pub(super) async fn stop(gateway: Gateway) -> ExitCode {
    say("stopping; a second signal ends at once");
    tokio::select! {
        () = gateway.stop() => ExitCode::SUCCESS,
        () = until_signal() => ExitCode::from(FAILED),
    }
}

/// Says why a gateway did not start, and which kind of wrong it is.
pub(super) fn start_failed(error: &GatewayError) -> ExitCode {
    match error {
        GatewayError::Config(error) => misconfigured(error),
        GatewayError::Refused(_)
        | GatewayError::Listen(_)
        | GatewayError::DataDir { .. }
        | GatewayError::DataDirInUse { .. } => {
            say("the configuration cannot be used:");
            say(&format!("  {error}"));
            ExitCode::from(MISCONFIGURED)
        }
        _ => failed(&error.to_string()),
    }
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn until_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        say("trunkline: signals cannot be received; stopping");
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
