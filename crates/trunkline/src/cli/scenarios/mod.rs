//! `trunkline test`: agents are tried by scripted people, against a local Twilio, as in a continuous integration.

mod calls;
mod file;
mod stage;
mod texts;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;
use trunkline::config::Settings;

use self::file::{Channel, Scenario};
use self::stage::Stage;
use super::run::{prepare, reader, runtime};
use super::up::{local, unknown_account, with_flags};
use super::{FAILED, MISCONFIGURED, ServeArgs, failed, print, say};

#[derive(Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Scenario files, and folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only those whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Calls with sound, heard and spoken by the configured engines, in place of words
    #[arg(long)]
    audio: bool,
    /// Writes a report that continuous integration reads, in the XML of `JUnit`
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What came of a scenario.
struct Outcome {
    name: String,
    file: String,
    took: Duration,
    wrong: Vec<String>,
}

pub(super) fn run(args: &TestArgs) -> ExitCode {
    tried(args).unwrap_or_else(|code| code)
}

fn tried(args: &TestArgs) -> Result<ExitCode, ExitCode> {
    let scenarios = file::read_all(&args.paths).map_err(|problems| {
        for problem in &problems {
            say(problem);
        }
        ExitCode::from(MISCONFIGURED)
    })?;
    let wanted = |scenario: &Scenario| args.filter.as_ref().is_none_or(|part| scenario.name.contains(part.as_str()));
    let scenarios: Vec<_> = scenarios.into_iter().filter(wanted).collect();
    if scenarios.is_empty() {
        return Err(failed("there is no scenario of that name"));
    }
    let folder = TempDir::with_prefix("trunkline-test-").map_err(|error| failed(&format!("no folder: {error}")))?;
    let token = stage::token();
    let reader = reader(&args.serve).map_err(|error| super::misconfigured(&error))?;
    let reader = stage::reader(reader, &folder, &token, args.audio);
    // Which account it is, only the running emulator knows. Everything else is checked before anything starts.
    let checked = local(with_flags(reader.clone(), unknown_account()), "http://127.0.0.1/webhooks/twilio".to_owned());
    let (_, telemetry) = prepare(&checked)?;
    Settings::load(&checked).map_err(|error| super::misconfigured(&error))?;
    let runtime = runtime()?;
    let outcomes = runtime.block_on(async {
        let stage = Stage::start(reader, folder, token, &telemetry).await?;
        let mut outcomes = Vec::with_capacity(scenarios.len());
        for (place, scenario) in scenarios.iter().enumerate() {
            let outcome = play(&stage, scenario, place).await;
            tell(&outcome);
            outcomes.push(outcome);
        }
        stage.stop().await;
        Ok::<_, ExitCode>(outcomes)
    });
    runtime.shutdown_background();
    telemetry.shutdown();
    let outcomes = outcomes?;
    if let Some(path) = &args.junit {
        write(path, &outcomes).map_err(|error| failed(&format!("{}: {error}", path.display())))?;
    }
    let bad = outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).count();
    say(&format!("{} of {} scenarios are as expected", outcomes.len() - bad, outcomes.len()));
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Plays a scenario: its person has a number of their own, the same on every channel.
async fn play(stage: &Stage, scenario: &Scenario, place: usize) -> Outcome {
    let begun = Instant::now();
    let person = format!("+1555010{:04}", place + 1);
    let mut wrong = Vec::new();
    for part in &scenario.parts {
        let played = match part.channel {
            Channel::Voice => calls::play(stage, &person, &part.steps).await,
            channel => texts::play(stage, &person, channel, &part.steps).await,
        };
        wrong.extend(played.unwrap_or_else(|reason| vec![reason]));
        if !wrong.is_empty() {
            break;
        }
    }
    let file = scenario.file.display().to_string();
    Outcome { name: scenario.name.clone(), file, took: begun.elapsed(), wrong }
}

fn tell(outcome: &Outcome) {
    let word = if outcome.wrong.is_empty() { "ok  " } else { "FAIL" };
    print(&format!("{word}  {}  ({} ms)", outcome.name, outcome.took.as_millis()));
    for wrong in &outcome.wrong {
        print(&format!("      {wrong}"));
    }
}

fn write(path: &PathBuf, outcomes: &[Outcome]) -> Result<(), quick_junit::SerializeError> {
    let mut suite = TestSuite::new("scenarios");
    for outcome in outcomes {
        let status = if outcome.wrong.is_empty() {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(outcome.wrong.join("\n"));
            status
        };
        let mut case = TestCase::new(outcome.name.as_str(), status);
        case.set_classname(outcome.file.as_str()).set_time(outcome.took);
        suite.add_test_case(case);
    }
    let mut report = Report::new("trunkline test");
    report.add_test_suite(suite);
    let file = File::create(path)?;
    report.serialize(file)
}

/// The names of tools of the API's answer, in order.
fn tool_names(list: &Value) -> Vec<String> {
    let tools = list.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools.map(|tool| text(tool, "tool").to_owned()).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
