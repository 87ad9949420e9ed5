//! `trunkline workflow`: definitions checked here, runs of a running gateway.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use trunkline::workflows::{FolderError, read_file, read_folder};

use super::conversations::text;
use super::gateway_api::{GatewayApi, GatewayArgs};
use super::run::runtime;
use super::{failed, print, say};

#[derive(Subcommand)]
pub(super) enum WorkflowCommand {
    /// Checks definitions, without a gateway: every problem with its file, line and column
    Validate {
        /// Print one JSON object a problem
        #[arg(long)]
        json: bool,
        /// Files, or folders of `*.toml`
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Lists the workflows of a gateway, and how many runs each has
    List(ListArgs),
    /// Begins a run of a workflow that has a trigger with `api = true`
    Run {
        #[command(flatten)]
        args: ListArgs,
        /// The workflow
        name: String,
        /// What it is about, a JSON object: `event.data` of its expressions
        #[arg(long, default_value = "{}", value_parser = object)]
        data: Value,
        /// Names the request: the same one begins one run
        #[arg(long)]
        id: Option<String>,
    },
    /// Lists runs, the latest first
    Runs {
        #[command(flatten)]
        args: ListArgs,
        /// Only those of this workflow
        #[arg(long)]
        workflow: Option<String>,
        /// Only those in this state
        #[arg(long, value_parser = ["queued", "running", "waiting", "done", "compensated", "failed", "cancelled"])]
        state: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Shows a run and its steps
    Show(OneArgs),
    /// Has a run that failed go on from where it failed; what is done is not done again
    Replay(OneArgs),
    /// Cancels a run
    Cancel(OneArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct OneArgs {
    #[command(flatten)]
    args: ListArgs,
    /// The run
    run: String,
}

fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| "must be a JSON object".to_owned())?;
    if value.is_object() { Ok(value) } else { Err("must be a JSON object".to_owned()) }
}

pub(super) fn run(command: &WorkflowCommand) -> ExitCode {
    let args = match command {
        WorkflowCommand::Validate { json, paths } => return validate(*json, paths),
        WorkflowCommand::List(args)
        | WorkflowCommand::Run { args, .. }
        | WorkflowCommand::Runs { args, .. }
        | WorkflowCommand::Show(OneArgs { args, .. })
        | WorkflowCommand::Replay(OneArgs { args, .. })
        | WorkflowCommand::Cancel(OneArgs { args, .. }) => args,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let api = match GatewayApi::open(&args.gateway) {
        Ok(api) => api,
        Err(code) => return code,
    };
    let outcome = runtime.block_on(asked(&api, args.json, command));
    outcome.map_or_else(|reason| failed(&reason), |()| ExitCode::SUCCESS)
}

async fn asked(api: &GatewayApi, as_json: bool, command: &WorkflowCommand) -> Result<(), String> {
    match command {
        WorkflowCommand::Validate { .. } => Ok(()),
        WorkflowCommand::List(_) => list(api, as_json).await,
        WorkflowCommand::Run { name, data, id, .. } => {
            let mut wish = json!({ "data": data });
            if let (Some(wish), Some(id)) = (wish.as_object_mut(), id) {
                wish.insert("id".to_owned(), json!(id));
            }
            let begun = api.post(&["workflows", name, "runs"], &wish).await?;
            print(&if as_json { begun.to_string() } else { text(&begun, "run").to_owned() });
            if begun.get("new") == Some(&Value::Bool(false)) {
                say("a request of this id began a run before; it does not begin another one");
            }
            Ok(())
        }
        WorkflowCommand::Runs { workflow, state, limit, .. } => {
            let limit = limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(workflow.as_deref().map(|workflow| ("workflow", workflow)));
            query.extend(state.as_deref().map(|state| ("state", state)));
            let page = api.get(&["workflow-runs"], &query).await?;
            for run in page.get("runs").and_then(Value::as_array).into_iter().flatten() {
                print(&if as_json { run.to_string() } else { line(run) });
            }
            if page.get("next").is_some_and(Value::is_string) {
                say("there are more: --limit");
            }
            Ok(())
        }
        WorkflowCommand::Show(one) => show(api, as_json, &one.run).await,
        WorkflowCommand::Replay(one) => changed(api, as_json, &one.run, "replay").await,
        WorkflowCommand::Cancel(one) => changed(api, as_json, &one.run, "cancel").await,
    }
}

async fn changed(api: &GatewayApi, as_json: bool, run: &str, what: &str) -> Result<(), String> {
    let changed = api.post(&["workflow-runs", run, what], &json!({})).await?;
    print(&if as_json { changed.to_string() } else { format!("{run} {}", text(&changed, "state")) });
    Ok(())
}

async fn list(api: &GatewayApi, as_json: bool) -> Result<(), String> {
    let page = api.get(&["workflows"], &[]).await?;
    if page.get("enabled") == Some(&Value::Bool(false)) {
        say("workflows are switched off: set TRUNKLINE_WORKFLOWS to the folder of their definitions");
    }
    for workflow in page.get("workflows").and_then(Value::as_array).into_iter().flatten() {
        if as_json {
            print(&workflow.to_string());
            continue;
        }
        let nodes = workflow.get("nodes").and_then(Value::as_array).map_or(0, Vec::len);
        let runs = workflow.get("runs").and_then(Value::as_object);
        let runs: Vec<_> = runs.into_iter().flatten().map(|(state, count)| format!("{count} {state}")).collect();
        print(&format!("{:<24} {nodes:>3} nodes  {}", text(workflow, "name"), runs.join(", ")));
    }
    Ok(())
}

fn line(run: &Value) -> String {
    let error = match (text(run, "error_node"), text(run, "error_code")) {
        ("", "") => String::new(),
        (node, code) => format!("  {node}: {code}"),
    };
    format!(
        "{}  {:<20} {:<11} {}{error}",
        text(run, "run"),
        text(run, "workflow"),
        text(run, "state"),
        text(run, "started")
    )
}

async fn show(api: &GatewayApi, as_json: bool, id: &str) -> Result<(), String> {
    let run = api.get(&["workflow-runs", id], &[]).await?;
    if as_json {
        print(&run.to_string());
        return Ok(());
    }
    print(&line(&run));
    for step in run.get("steps").and_then(Value::as_array).into_iter().flatten() {
        let attempts = step.get("attempts").and_then(Value::as_u64).unwrap_or_default();
        let mut shown = format!("  {:<24} {:<10}", text(step, "node"), text(step, "state"));
        for (label, value) in
            [("", text(step, "branch")), ("until ", text(step, "due")), ("", text(step, "error_code"))]
        {
            if !value.is_empty() {
                shown = format!("{shown} {label}{value}");
            }
        }
        print(&if attempts > 1 { format!("{shown} ({attempts} tries)") } else { shown });
    }
    Ok(())
}

/// Exit code 1 if anything is wrong.
fn validate(as_json: bool, paths: &[PathBuf]) -> ExitCode {
    let (mut good, mut wrong) = (0, 0);
    for path in paths {
        let read =
            if path.is_dir() { read_folder(path).map(|workflows| workflows.len()) } else { read_file(path).map(|_| 1) };
        match read {
            Ok(count) => good += count,
            Err(FolderError::Invalid(files)) => {
                for file in files {
                    for problem in &file.error.problems {
                        wrong += 1;
                        tell(as_json, &file.path, (problem.line, problem.column), &problem.message);
                    }
                }
            }
            Err(error) => {
                wrong += 1;
                tell(as_json, path, (1, 1), &error.to_string());
            }
        }
    }
    if wrong == 0 {
        say(&format!("{good} fine"));
        return ExitCode::SUCCESS;
    }
    failed(&format!("{wrong} to mend"))
}

fn tell(as_json: bool, path: &Path, (line, column): (usize, usize), message: &str) {
    let path = path.display().to_string();
    print(&if as_json {
        json!({ "file": path, "line": line, "column": column, "message": message }).to_string()
    } else {
        format!("{path}:{line}:{column}: {message}")
    });
}
