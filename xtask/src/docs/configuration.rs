//! `docs/configuration.md`: every setting of the `settings!` table, every flag, and a sample file.

use anyhow::{Context, Result};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Item, LitStr, Token};

use super::flags::{Flag, flags};
use super::read::{Parsed, cell};

const FILE: &str = "crates/trunkline/src/config/table.rs";

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `cargo xtask docs` from the sources. Do not edit. -->

Everything has a default; `trunkline up` needs no setting at all, `trunkline serve` needs an account and its token.

A setting is looked for on the command line, then in the environment, then in the file, and last there is its default:
the first that is found holds. The file is `trunkline.toml` in the folder in which the program is started, if it is
there, or the one that `--config` names. Every problem is reported at once, each under the name by which the value was
given, and the program ends with exit code 64. A key that is not listed here is a problem too.

- An environment variable that is empty counts as not set. In the file an empty text is a value.
- A duration is a whole number with `ms`, `s`, `m` or `h`; without a unit it counts seconds.
- Several values stand in one variable with commas between them, and in the file as a list of texts as well.
- `trunkline up` sets what joins the gateway to its own emulator (account, number, service, identity, base URL and
  webhook URL) and overrules what is configured. Where the account is configured, its emulator takes it over.
- `trunkline emulator` has no file: it takes its account from the environment and makes up what is not set there.
";

const FLAGS: &str = "\
## Flags

`trunkline bench` has flags of its own; see `trunkline bench --help`.

| Flag | Commands | What it does |
|---|---|---|";

const SAMPLE: &str = "
## A sample `trunkline.toml`

Everything is commented out and shows its default.

```toml";

/// One setting.
struct Setting {
    table: String,
    key: String,
    env: String,
    default: String,
    doc: String,
    secret: bool,
}

/// The page.
pub(super) fn document(files: &[Parsed]) -> Result<String> {
    let settings = settings(files)?;
    let mut tables: Vec<&str> = Vec::new();
    for setting in &settings {
        if !tables.contains(&setting.table.as_str()) {
            tables.push(&setting.table);
        }
    }
    let mut page = vec![INTRODUCTION.to_owned()];
    for table in &tables {
        page.push(format!("## `[{table}]`\n\n| Key | Variable | Default | What it does |\n|---|---|---|---|"));
        page.extend(settings.iter().filter(|setting| setting.table == *table).map(row));
        page.push(String::new());
    }
    page.push(FLAGS.to_owned());
    page.extend(flags(files)?.iter().map(flag_row));
    page.push(SAMPLE.to_owned());
    page.extend(sample(&tables, &settings, "# "));
    page.push("```\n".to_owned());
    Ok(page.join("\n"))
}

fn row(setting: &Setting) -> String {
    let Setting { key, env, default, doc, secret, .. } = setting;
    let default = if default.is_empty() { String::new() } else { format!("`{}`", cell(default)) };
    let secret = if *secret { " A secret: never shown." } else { "" };
    format!("| `{key}` | `{env}` | {default} | {}{secret} |", cell(doc))
}

fn flag_row(Flag { usage, doc, commands }: &Flag) -> String {
    let commands: Vec<_> = commands.iter().map(|command| format!("`{command}`")).collect();
    format!("| `{usage}` | {} | {} |", commands.join(", "), cell(doc))
}

/// The lines of a file with every default, each key behind `mark`.
fn sample(tables: &[&str], settings: &[Setting], mark: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for table in tables {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("[{table}]"));
        for setting in settings.iter().filter(|setting| setting.table == *table) {
            lines.extend(wrapped(&setting.doc).iter().map(|line| format!("# {line}")));
            lines.push(format!("{mark}{} = {}", setting.key, value(&setting.default)));
        }
    }
    lines
}

/// A default as TOML writes it.
fn value(default: &str) -> String {
    if matches!(default, "true" | "false") || default.parse::<u64>().is_ok() {
        return default.to_owned();
    }
    format!("\"{}\"", default.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Breaks a text into lines that fit a narrow window.
fn wrapped(text: &str) -> Vec<String> {
    const WIDTH: usize = 100;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn settings(files: &[Parsed]) -> Result<Vec<Setting>> {
    let file = files.iter().find(|file| file.name == FILE).with_context(|| format!("{FILE} is not there"))?;
    let table = file.file.items.iter().find_map(|item| match item {
        Item::Macro(item) if item.mac.path.is_ident("settings") => Some(&item.mac),
        _ => None,
    });
    let table = table.with_context(|| format!("{FILE} has no settings! table"))?;
    let settings = table.parse_body_with(Punctuated::<Setting, Token![;]>::parse_terminated);
    Ok(settings.with_context(|| format!("reading the settings! table of {FILE}"))?.into_iter().collect())
}

/// `NAME = "table.key", "VARIABLE", "default", "What it does."` and perhaps `, secret`.
impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let _name: Ident = input.parse()?;
        let _equals: Token![=] = input.parse()?;
        let place: LitStr = input.parse()?;
        let text = || -> syn::Result<String> {
            let _comma: Token![,] = input.parse()?;
            Ok(input.parse::<LitStr>()?.value())
        };
        let (env, default, doc) = (text()?, text()?, text()?);
        let secret = input.peek(Token![,]);
        if secret {
            let _comma: Token![,] = input.parse()?;
            let _secret: Ident = input.parse()?;
        }
        let (table, key) = match place.value().split_once('.') {
            Some((table, key)) => (table.to_owned(), key.to_owned()),
            None => return Err(syn::Error::new(place.span(), "is not table.key")),
        };
        Ok(Self { table, key, env, default, doc, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
        macro_rules! settings { () => {} }
        settings! {
            A = "one.a", "ONE_A", "true", "Whether | not.";
            B = "two.b", "TWO_B", "", "Hidden.", secret;
            C = "one.c", "ONE_C", "say \"yes\"", "What is said, in so many words that the line of the sample file would be far too long for a window.";
        }
    "#;

    fn files() -> Vec<Parsed> {
        let cli = "enum Command { Up(UpArgs) } struct UpArgs { /// Where\n #[arg(long)] at: String }";
        let parse =
            |name: &str, text: &str| Parsed { name: name.to_owned(), file: syn::parse_file(text).expect("Rust") };
        vec![parse(FILE, SOURCE), parse("crates/trunkline/src/cli/mod.rs", cli)]
    }

    #[test]
    fn settings_are_grouped_by_table_and_flags_follow() {
        let page = document(&files()).expect("page");
        assert!(page.contains("## `[one]`\n\n| Key | Variable | Default | What it does |\n|---|---|---|---|\n| `a` | `ONE_A` | `true` | Whether \\| not. |\n| `c` |"), "{page}");
        assert!(page.contains("| `b` | `TWO_B` |  | Hidden. A secret: never shown. |"), "{page}");
        assert!(page.contains("| `--at AT` | `up` | Where |"), "{page}");
    }

    #[test]
    fn the_sample_is_toml_and_holds_the_defaults() {
        let settings = settings(&files()).expect("settings");
        let tables: toml::Table = sample(&["one", "two"], &settings, "").join("\n").parse().expect("TOML");
        assert_eq!(tables["one"]["a"].as_bool(), Some(true));
        assert_eq!(tables["one"]["c"].as_str(), Some("say \"yes\""));
        assert_eq!(tables["two"]["b"].as_str(), Some(""));
        let commented = sample(&["one", "two"], &settings, "# ");
        assert!(commented.iter().all(|line| line.is_empty() || line.starts_with(['#', '['])), "{commented:?}");
        assert!(commented.iter().all(|line| line.len() <= 102), "{commented:?}");
    }
}
