//! `trunkline emulator`.

use std::process::ExitCode;
use std::time::Duration;

use trunkline::config::{Reader, TelemetrySettings};
use trunkline::telemetry::Telemetry;
use trunkline_emulator::{AccountConfig, Emulator, StartError};

use super::run::{runtime, setting, until_signal};
use super::{EmulatorArgs, MISCONFIGURED, failed, print, say};

/// The account from the same variables as the gateway's; what is unset is made up.
pub(super) fn account(reader: &Reader) -> AccountConfig {
    let text = |key| setting(key).and_then(|setting| reader.text(setting)).map(str::to_owned);
    let first = |text: String| text.split(',').next().unwrap_or_default().trim().to_owned();
    AccountConfig {
        account_sid: text("twilio.account_sid"),
        auth_token: text("twilio.auth_token").map(first),
        api_key: text("twilio.api_key"),
        api_secret: text("twilio.api_secret"),
        chat_service_sid: text("twilio.chat_service_sid"),
        identity: text("twilio.identity"),
        phone_number: text("twilio.phone_number"),
    }
}

pub(super) fn run(args: EmulatorArgs) -> ExitCode {
    emulate_until_signal(args).unwrap_or_else(|code| code)
}

fn emulate_until_signal(args: EmulatorArgs) -> Result<ExitCode, ExitCode> {
    let reader = Reader::from_process();
    logs(&reader)?;
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let mut builder = Emulator::builder().listen(args.listen).account(account(&reader));
        if let Some(path) = args.data_file {
            builder = builder.data_file(path);
        }
        let emulator = match builder.start().await {
            Ok(emulator) => emulator,
            Err(error) => return start_failed(&error),
        };
        if !args.listen.ip().is_loopback() {
            say("anyone who reaches this address can use the emulator: its control API has no credentials");
        }
        let account = emulator.account();
        print(&format!("emulator             {}", emulator.url()));
        print(&format!("phone                {}/phone", emulator.url()));
        print(&format!("TWILIO_ACCOUNT_SID   {}", account.account_sid));
        print(&format!("TWILIO_PHONE_NUMBER  {}", account.phone_number));
        print(&format!("TWILIO_API_KEY       {}", account.api_key));
        print(&format!("chat service         {}", account.chat_service_sid));
        print(&format!("secrets and the rest {}/emulator/v1/account", emulator.url()));
        until_signal().await;
        emulator.shutdown().await;
        ExitCode::SUCCESS
    });
    runtime.shutdown_background();
    Ok(code)
}

fn logs(reader: &Reader) -> Result<(), ExitCode> {
    let log = setting("telemetry.log").map_or("info", |setting| reader.text_or_default(setting)).to_owned();
    let settings = TelemetrySettings { log, json: None, otlp_endpoint: None, otlp_interval: Duration::from_secs(15) };
    let telemetry = Telemetry::new(&settings).map_err(|error| failed(&error.to_string()))?;
    telemetry.install_logs(&settings);
    Ok(())
}

/// Says why an emulator did not start, with every cause.
pub(super) fn start_failed(error: &StartError) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    say(&format!("the emulator cannot start ({}): {text}", error.code()));
    ExitCode::from(MISCONFIGURED)
}
