//! `trunkline dlq`: what could not be dealt with. Works beside a running gateway, which notices a replay by itself.

use std::process::ExitCode;

use serde_json::json;
use trunkline::config::{Reader, SETTINGS};
use trunkline_bus::{Bus, BusError, EmbeddedBus, EmbeddedOptions};

use super::run::{reader, runtime, setting};
use super::{DlqCommand, ServeArgs, failed, misconfigured, print, say};

/// How many letters are looked at for `--all`.
const MAX_LETTERS: usize = 10_000;

pub(super) fn run(command: DlqCommand) -> ExitCode {
    work(command).unwrap_or_else(|code| code)
}

fn work(command: DlqCommand) -> Result<ExitCode, ExitCode> {
    let runtime = runtime()?;
    let (DlqCommand::List { serve, .. } | DlqCommand::Replay { serve, .. }) = &command;
    let bus = open(serve)?;
    let outcome = runtime.block_on(async {
        let outcome = match command {
            DlqCommand::List { json, limit, .. } => list(&bus, json, limit).await,
            DlqCommand::Replay { all, ids, .. } => replay(&bus, all, ids).await,
        };
        bus.close().await;
        outcome
    });
    Ok(outcome.unwrap_or_else(|error| failed(&format!("{error} ({})", error.code()))))
}

fn open(args: &ServeArgs) -> Result<EmbeddedBus, ExitCode> {
    let reader: Reader = reader(args).map_err(|error| misconfigured(&error))?;
    let folder = setting("gateway.data_dir").or(SETTINGS.first()).map_or("", |setting| reader.text_or_default(setting));
    let path = std::path::Path::new(folder).join("bus.db");
    if !path.exists() {
        return Err(failed(&format!("{} is not there: no gateway has used this folder", path.display())));
    }
    EmbeddedBus::open(&EmbeddedOptions::new(path)).map_err(|error| failed(&error.to_string()))
}

async fn list(bus: &EmbeddedBus, as_json: bool, limit: usize) -> Result<ExitCode, BusError> {
    let letters = bus.dead_letters(limit).await?;
    for stored in &letters {
        let letter = &stored.letter;
        if as_json {
            let line = json!({
                "id": stored.id,
                "at": stored.at.to_string(),
                "code": letter.code,
                "reason": letter.reason,
                "attempts": letter.attempts,
                "type": letter.envelope.kind,
                "subject": letter.envelope.subject,
                "origin": letter.origin,
            });
            print(&line.to_string());
        } else {
            print(&format!(
                "{}  {}  {}  {} tries: {}",
                stored.id, stored.at, letter.code, letter.attempts, letter.reason
            ));
        }
    }
    let waiting = bus.dead_letter_count().await?;
    say(&format!("{waiting} waiting, {} shown", letters.len()));
    Ok(ExitCode::SUCCESS)
}

async fn replay(bus: &EmbeddedBus, all: bool, ids: Vec<String>) -> Result<ExitCode, BusError> {
    let ids =
        if all { bus.dead_letters(MAX_LETTERS).await?.into_iter().map(|letter| letter.id).collect() } else { ids };
    let mut missing = 0;
    for id in &ids {
        match bus.replay(id).await {
            Ok(()) => print(id),
            Err(BusError::NoSuchDeadLetter) => {
                missing += 1;
                say(&format!("{id}: there is no such dead letter"));
            }
            Err(error) => return Err(error),
        }
    }
    say(&format!("{} put back", ids.len() - missing));
    Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::from(super::FAILED) })
}
