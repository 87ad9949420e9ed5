//! `trunkline knowledge`: documents that a running gateway's agents answer from.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::conversations::{printable, text};
use super::gateway_api::{GatewayApi, GatewayArgs};
use super::run::runtime;
use super::{failed, print, say};

/// Files of one command; a folder with more is taken in parts.
const MAX_FILES: usize = 10_000;
/// Folders within folders.
const MAX_DEPTH: usize = 16;

#[derive(Subcommand)]
pub(super) enum KnowledgeCommand {
    /// Takes files in, or every text, Markdown, HTML and PDF file of folders; what has not changed is passed over
    Add {
        #[command(flatten)]
        common: CommonArgs,
        /// Where they belong
        #[arg(long, value_name = "NAME", default_value = "default")]
        collection: String,
        /// Files and folders
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Lists collections, or the documents of one
    List {
        #[command(flatten)]
        common: CommonArgs,
        /// The collection
        collection: Option<String>,
    },
    /// Takes a document out, or a whole collection
    Remove {
        #[command(flatten)]
        common: CommonArgs,
        /// The collection
        #[arg(long, value_name = "NAME", default_value = "default")]
        collection: String,
        /// All of it
        #[arg(long, conflicts_with = "document")]
        all: bool,
        /// The document's title or id
        #[arg(required_unless_present = "all")]
        document: Option<String>,
    },
    /// Finds passages
    Search {
        #[command(flatten)]
        common: CommonArgs,
        /// Only in this collection
        #[arg(long, value_name = "NAME")]
        collection: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// What to look for
        words: String,
    },
}

#[derive(Args)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    pub(super) gateway: GatewayArgs,
    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(command: &KnowledgeCommand) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let (KnowledgeCommand::Add { common, .. }
    | KnowledgeCommand::List { common, .. }
    | KnowledgeCommand::Remove { common, .. }
    | KnowledgeCommand::Search { common, .. }) = command;
    let api = match GatewayApi::open(&common.gateway) {
        Ok(api) => api,
        Err(code) => return code,
    };
    let outcome = runtime.block_on(async {
        match command {
            KnowledgeCommand::Add { collection, paths, .. } => add(&api, common.json, collection, paths).await,
            KnowledgeCommand::List { collection, .. } => list(&api, common.json, collection.as_deref()).await,
            KnowledgeCommand::Remove { collection, document, .. } => {
                remove(&api, common.json, collection, document.as_deref()).await
            }
            KnowledgeCommand::Search { collection, limit, words, .. } => {
                let limit = limit.to_string();
                let mut query = vec![("q", words.as_str()), ("limit", limit.as_str())];
                query.extend(collection.as_deref().map(|name| ("collection", name)));
                found(&api.get(&["knowledge", "search"], &query).await?, common.json);
                Ok(())
            }
        }
    });
    outcome.map_or_else(|reason| failed(&reason), |()| ExitCode::SUCCESS)
}

async fn add(api: &GatewayApi, as_json: bool, collection: &str, paths: &[PathBuf]) -> Result<(), String> {
    let mut files = Vec::new();
    for path in paths {
        let is_folder = path.is_dir();
        let root = if is_folder { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        gather(path, root, is_folder, 0, &mut files)?;
    }
    let (mut taken, mut same, mut refused) = (0, 0, 0);
    for (path, title) in &files {
        let content = tokio::fs::read(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
        let place = ["knowledge", collection, "documents"];
        match api.upload(&place, &[("title", title)], content_type(path), content).await {
            Ok(done) => {
                let changed = done.get("changed") == Some(&Value::Bool(true));
                if changed {
                    taken += 1;
                } else {
                    same += 1;
                }
                let document = done.get("document").unwrap_or(&Value::Null);
                let passages = document.get("passages").and_then(Value::as_u64).unwrap_or_default();
                let line =
                    || format!("{title}  {}{}", count(passages, "passage"), if changed { "" } else { "  (as before)" });
                print(&if as_json { done.to_string() } else { line() });
            }
            Err(reason) => {
                refused += 1;
                say(&format!("{title}: {reason}"));
            }
        }
    }
    say(&format!("{taken} taken in, {same} as before, {refused} refused"));
    if refused > 0 { Err("not every file could be taken in".to_owned()) } else { Ok(()) }
}

/// Files, with their titles: their place in the folder that was named.
fn gather(
    path: &Path,
    root: &Path,
    is_in_folder: bool,
    depth: usize,
    files: &mut Vec<(PathBuf, String)>,
) -> Result<(), String> {
    let trouble = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_dir() {
        if is_in_folder && content_type(path) == "application/octet-stream" {
            return Ok(());
        }
        if files.len() == MAX_FILES {
            return Err(format!("there are more than {MAX_FILES} files; name a part of the folder"));
        }
        let title = path.strip_prefix(root).unwrap_or(path).display().to_string();
        files.push((path.to_owned(), title));
        return Ok(());
    }
    if depth == MAX_DEPTH {
        return Err(format!("{}: is too deep", path.display()));
    }
    let entries = std::fs::read_dir(path).map_err(trouble)?;
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(trouble)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        // Links may lead anywhere, also back.
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && !entry.file_type().map_err(trouble)?.is_symlink() {
            gather(&entry.path(), root, true, depth + 1, files)?;
        }
    }
    Ok(())
}

fn content_type(path: &Path) -> &'static str {
    let end = path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
    match end.as_deref() {
        Some("md" | "markdown") => "text/markdown",
        Some("html" | "htm" | "xhtml") => "text/html",
        Some("pdf") => "application/pdf",
        Some("txt" | "text") => "text/plain",
        _ => "application/octet-stream",
    }
}

async fn list(api: &GatewayApi, as_json: bool, collection: Option<&str>) -> Result<(), String> {
    let number = |one: &Value, key: &str| one.get(key).and_then(Value::as_u64).unwrap_or_default();
    let Some(collection) = collection else {
        let all = api.get(&["knowledge"], &[]).await?;
        for one in all.get("collections").and_then(Value::as_array).into_iter().flatten() {
            let (documents, passages) = (number(one, "documents"), number(one, "passages"));
            let line = || {
                let (documents, passages) = (count(documents, "document"), count(passages, "passage"));
                format!("{:<24} {documents}, {passages}", text(one, "collection"))
            };
            print(&if as_json { one.to_string() } else { line() });
        }
        return Ok(());
    };
    let mut cursor = None::<String>;
    loop {
        let query: Vec<_> = cursor.as_deref().map(|cursor| ("cursor", cursor)).into_iter().collect();
        let page = api.get(&["knowledge", collection, "documents"], &query).await?;
        for one in page.get("documents").and_then(Value::as_array).into_iter().flatten() {
            let (size, passages) = (number(one, "size"), number(one, "passages"));
            let line = || {
                let (id, kind, title) = (text(one, "id"), text(one, "content_type"), printable(text(one, "title")));
                format!("{id}  {kind:<15} {size:>9} bytes {passages:>5} passages  {title}")
            };
            print(&if as_json { one.to_string() } else { line() });
        }
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn remove(api: &GatewayApi, as_json: bool, collection: &str, document: Option<&str>) -> Result<(), String> {
    let place: Vec<&str> = match document {
        Some(document) => vec!["knowledge", collection, "documents", document],
        None => vec!["knowledge", collection],
    };
    let done = api.delete(&place, &[]).await?;
    let documents = done.get("documents").and_then(Value::as_u64).unwrap_or_default();
    print(&if as_json { done.to_string() } else { format!("{documents} removed") });
    Ok(())
}

/// `1 passage`, `2 passages`.
fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Prints passages: where they stand, then the part that fits.
pub(super) fn found(page: &Value, as_json: bool) {
    let passages = page.get("passages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for one in passages {
        if as_json {
            print(&one.to_string());
            continue;
        }
        let source = one.get("source").unwrap_or(&Value::Null);
        let place = [text(source, "title"), text(one, "title")];
        let place: Vec<_> = place.into_iter().filter(|part| !part.is_empty()).map(printable).collect();
        print(&format!("# {}", place.join(", ")));
        print(&printable(text(one, "excerpt")));
    }
    if matches!(text(page, "meaning"), "late" | "failed") {
        say("note: the model of embeddings does not answer; these were found by their words alone");
    }
    say(&format!("{} found", passages.len()));
}
