//! `trunkline up`: everything on this machine.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use trunkline::config::{Reader, Settings};
use trunkline::telemetry::Telemetry;
use trunkline::{Clock, Gateway, Server};
use trunkline_emulator::{Account, Clock as EmulatorClock, Emulator};

use super::emulator::{account, start_failed as emulator_failed};
use super::run::{prepare, reader, runtime, setting, settings, start_failed, stop, until_signal, with_flag};
use super::{UpArgs, failed, misconfigured, print, say};

pub(super) fn run(args: &UpArgs) -> ExitCode {
    up_until_signal(args).unwrap_or_else(|code| code)
}

fn up_until_signal(args: &UpArgs) -> Result<ExitCode, ExitCode> {
    let reader = reader(&args.serve).map_err(|error| misconfigured(&error))?;
    let reader = with_flag(reader, "emulator.listen", args.emulator_listen.map(|address| address.to_string()));
    let is_silent = setting("web_chat.enabled").is_some_and(|setting| reader.text(setting).is_none());
    let reader = with_flag(reader, "web_chat.enabled", is_silent.then(|| "true".to_owned()));
    let is_silent = setting("calls.record").is_some_and(|setting| reader.text(setting).is_none());
    let reader = with_flag(reader, "calls.record", is_silent.then(|| "true".to_owned()));
    // Which account it is, only the running emulator knows. Everything else is checked before anything starts.
    let checked = with_flags(reader.clone(), unknown_account());
    let (settings, telemetry) = prepare(&local(checked, "http://127.0.0.1/webhooks/twilio".to_owned()))?;
    let runtime = runtime()?;
    let code = runtime.block_on(up(reader, &settings, &telemetry));
    runtime.shutdown_background();
    telemetry.shutdown();
    Ok(code)
}

async fn up(reader: Reader, checked: &Settings, telemetry: &Telemetry) -> ExitCode {
    let server = match Server::bind(checked.listen).await {
        Ok(server) => server,
        Err(error) => {
            // Both addresses are said at once, not one after the other's mending.
            if let Err(other) = tokio::net::TcpListener::bind(checked.emulator_listen).await {
                say(&format!("the emulator cannot listen on {}: {other}; {EMULATOR_HINT}", checked.emulator_listen));
            }
            return start_failed(&error.into());
        }
    };
    if let Err(error) = std::fs::create_dir_all(&checked.data_dir) {
        return failed(&format!("{} cannot be made: {error}", checked.data_dir.display()));
    }
    let voice = format!("http://{}/webhooks/twilio/voice", reachable(server.address()));
    let clock = EmulatorClock::system();
    let emulator = Emulator::builder()
        .clock(clock.clone())
        .listen(checked.emulator_listen)
        .voice(&voice, Some(format!("{voice}/status")))
        .account(account(&reader))
        .data_file(checked.data_dir.join("emulator.db"))
        .start()
        .await;
    let emulator = match emulator {
        Ok(emulator) => emulator,
        Err(error) => {
            say(EMULATOR_HINT);
            return emulator_failed(&error);
        }
    };
    let reader = with_flags(reader, of_account(emulator.account(), emulator.url()));
    let webhook_url = format!("http://{}/webhooks/twilio", reachable(server.address()));
    let settings = match settings(&local(reader, webhook_url)) {
        Ok(settings) => settings,
        Err(error) => return misconfigured(&error),
    };
    let gateway = match Gateway::start(settings, server, telemetry).await {
        Ok(gateway) => gateway,
        Err(error) => return start_failed(&error),
    };
    introduce(&gateway, &emulator).await;
    tokio::select! {
        () = until_signal() => {}
        () = keep_time(&clock, gateway.clock()) => {}
    }
    let code = stop(gateway).await;
    emulator.shutdown().await;
    code
}

/// What workflows and promised texts wait for comes when the emulator's clock is put forward. Nothing is put back: what
/// has happened has.
async fn keep_time(emulator: &EmulatorClock, gateway: &Clock) {
    let mut shifts = emulator.shifts();
    let mut ahead = 0;
    loop {
        let now = *shifts.borrow_and_update();
        if now > ahead {
            gateway.advance(Duration::from_millis(now.abs_diff(ahead)));
            ahead = now;
        }
        if shifts.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn introduce(gateway: &Gateway, emulator: &Emulator) {
    let url = emulator.url();
    print(&format!("phone     {url}/phone"));
    if let Some(url) = gateway.chat_url() {
        print(&format!("chat      {url}"));
    }
    print(&format!("console   {}", gateway.console_url()));
    print(&format!("gateway   http://{}", gateway.address()));
    print(&format!("emulator  {url}   (number {})", emulator.account().phone_number));
    let program = std::env::args().next().unwrap_or_else(|| "trunkline".to_owned());
    let elsewhere = if url == "http://127.0.0.1:8090" { String::new() } else { format!(" --emulator {url}") };
    let deadline = tokio::time::Instant::now() + READY_PATIENCE;
    while !gateway.is_ready() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(READY_CHECK).await;
    }
    say("");
    say(if gateway.is_ready() { "Texts flow." } else { "Texts do not flow yet; the console says why." });
    say("Open the phone and text the agent, or from another terminal:");
    say(&format!("  {program} text{elsewhere} --from +15550001111 \"my name is Ada\""));
    say(&format!("  {program} text{elsewhere} --from +15550001111 \"what is my name?\""));
    say("Call it from the phone too (it hears the concierge's phrases), or from a terminal:");
    say(&format!("  {program} call{elsewhere} --say \"what is my name\""));
    let gateway_at = if gateway.address().port() == 8080 {
        String::new()
    } else {
        format!(" --gateway http://{}", gateway.address())
    };
    say("Look at what was said:");
    say(&format!("  {program} conversations list{gateway_at}"));
    say("Ctrl-C stops everything; what was said is kept in the data folder.");
}

const EMULATOR_HINT: &str = "name another address for it with --emulator-listen or TRUNKLINE_EMULATOR_LISTEN";
/// How long the introduction waits for texts to flow, and how often it looks.
const READY_PATIENCE: Duration = Duration::from_secs(10);
const READY_CHECK: Duration = Duration::from_millis(10);

/// Everything that makes the gateway use the emulator.
pub(super) fn of_account(account: &Account, url: &str) -> [(&'static str, String); 8] {
    [
        ("twilio.account_sid", account.account_sid.to_string()),
        ("twilio.auth_token", account.auth_token.clone()),
        ("twilio.api_key", account.api_key.to_string()),
        ("twilio.api_secret", account.api_secret.clone()),
        ("twilio.chat_service_sid", account.chat_service_sid.to_string()),
        ("twilio.identity", account.identity.clone()),
        ("twilio.phone_number", account.phone_number.clone()),
        ("twilio.base_url", url.to_owned()),
    ]
}

/// An account in the place of the one that only a running emulator knows.
pub(super) fn unknown_account() -> [(&'static str, String); 3] {
    [
        ("twilio.account_sid", format!("AC{:032}", 0)),
        ("twilio.auth_token", format!("{:032}", 0)),
        ("twilio.base_url", "http://127.0.0.1".to_owned()),
    ]
}

pub(super) fn with_flags<const N: usize>(reader: Reader, flags: [(&str, String); N]) -> Reader {
    flags.into_iter().fold(reader, |reader, (key, value)| with_flag(reader, key, Some(value)))
}

pub(super) fn local(reader: Reader, webhook_url: String) -> Reader {
    with_flags(reader, [("twilio.enabled", "true".to_owned()), ("twilio.webhook_url", webhook_url)])
}

/// An address that this machine can call: listening everywhere includes loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from(([127, 0, 0, 1], address.port()));
    }
    address
}
