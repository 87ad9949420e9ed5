//! The flags of the command line, read from its `clap` types.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprLit, Field, Fields, Item, ItemEnum, Lit, Token, Type};

use super::read::{Parsed, doc};

const FILE: &str = "crates/trunkline/src/cli/mod.rs";

/// A flag and the commands that have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// As it is typed: `--listen ADDR`.
    pub(super) usage: String,
    pub(super) doc: String,
    pub(super) commands: Vec<String>,
}

/// Every flag, in the order of the commands. Commands that are declared in a file of their own are left out.
pub(super) fn flags(files: &[Parsed]) -> Result<Vec<Flag>> {
    let file = files.iter().find(|file| file.name == FILE).with_context(|| format!("{FILE} is not there"))?;
    let types = Types::of(&file.file.items);
    let commands = types.enums.get("Command").context("there is no enum Command")?;
    let mut flags = Vec::new();
    for variant in &commands.variants {
        let name = kebab(&variant.ident.to_string());
        let Some(inner) = variant.fields.iter().next().and_then(|field| type_name(&field.ty)) else { continue };
        types.of_type(&inner, &name, &mut flags)?;
    }
    Ok(flags)
}

#[derive(Default)]
struct Types<'a> {
    structs: BTreeMap<String, &'a Fields>,
    enums: BTreeMap<String, &'a ItemEnum>,
}

impl<'a> Types<'a> {
    fn of(items: &'a [Item]) -> Self {
        let mut types = Self::default();
        for item in items {
            match item {
                Item::Struct(item) => {
                    types.structs.insert(item.ident.to_string(), &item.fields);
                }
                Item::Enum(item) => {
                    types.enums.insert(item.ident.to_string(), item);
                }
                _ => {}
            }
        }
        types
    }

    /// The flags of a struct of arguments, or of each command of an enum.
    fn of_type(&self, name: &str, command: &str, flags: &mut Vec<Flag>) -> Result<()> {
        if let Some(fields) = self.structs.get(name) {
            return self.of_fields(fields, command, flags);
        }
        for variant in self.enums.get(name).into_iter().flat_map(|item| &item.variants) {
            self.of_fields(&variant.fields, &format!("{command} {}", kebab(&variant.ident.to_string())), flags)?;
        }
        Ok(())
    }

    fn of_fields(&self, fields: &Fields, command: &str, flags: &mut Vec<Flag>) -> Result<()> {
        for field in fields {
            let argument = Argument::of(&field.attrs).with_context(|| format!("reading a field of {command}"))?;
            if argument.flatten {
                if let Some(inner) = type_name(&field.ty) {
                    self.of_type(&inner, command, flags)?;
                }
            } else if argument.long {
                add(flags, argument.usage(field), argument.doc(field), command);
            }
        }
        Ok(())
    }
}

fn add(flags: &mut Vec<Flag>, usage: String, doc: String, command: &str) {
    match flags.iter_mut().find(|flag| flag.usage == usage && flag.doc == doc) {
        Some(flag) => flag.commands.push(command.to_owned()),
        None => flags.push(Flag { usage, doc, commands: vec![command.to_owned()] }),
    }
}

/// What the attributes of a field say.
#[derive(Default)]
struct Argument {
    flatten: bool,
    long: bool,
    value_name: Option<String>,
    default: Option<String>,
}

impl Argument {
    fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut argument = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("arg") || a.path().is_ident("command")) {
            attribute.parse_nested_meta(|meta| argument.note(&meta))?;
        }
        Ok(argument)
    }

    fn note(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        self.flatten |= meta.path.is_ident("flatten");
        self.long |= meta.path.is_ident("long");
        if meta.input.peek(Token![=]) {
            let value = text(&meta.value()?.parse()?);
            if meta.path.is_ident("value_name") {
                self.value_name = value;
            } else if meta.path.is_ident("default_value") || meta.path.is_ident("default_value_t") {
                self.default = value;
            }
        }
        Ok(())
    }

    fn usage(&self, field: &Field) -> String {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default().replace('_', "-");
        match (&self.value_name, type_name(&field.ty).as_deref()) {
            (Some(value), _) => format!("--{name} {value}"),
            (None, Some("bool")) => format!("--{name}"),
            (None, _) => format!("--{name} {}", name.to_uppercase()),
        }
    }

    fn doc(&self, field: &Field) -> String {
        let about = doc(&field.attrs);
        match &self.default {
            Some(default) => format!("{about} [default: {default}]"),
            None => about,
        }
    }
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => Some(number.base10_digits().to_owned()),
        _ => None,
    }
}

fn type_name(kind: &Type) -> Option<String> {
    match kind {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// `DlqList` as it is typed: `dlq-list`.
fn kebab(name: &str) -> String {
    let mut typed = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !typed.is_empty() {
            typed.push('-');
        }
        typed.push(letter.to_ascii_lowercase());
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_with_their_defaults_and_commands() {
        let source = r#"
            enum Command {
                /// Up
                Up(UpArgs),
                Serve(ServeArgs),
                #[command(subcommand)]
                Dlq(DlqCommand),
                Bench(bench::BenchCommand),
            }
            struct ServeArgs {
                /// Address [default: a]
                #[arg(long, value_name = "ADDR")]
                listen_on: Option<SocketAddr>,
            }
            struct UpArgs {
                #[command(flatten)]
                serve: ServeArgs,
                /// What to say
                body: String,
            }
            enum DlqCommand {
                List {
                    /// As JSON
                    #[arg(long, conflicts_with = "ids")]
                    json: bool,
                    /// So many
                    #[arg(long, default_value_t = 100)]
                    limit: usize,
                },
            }
        "#;
        let files = [Parsed { name: FILE.to_owned(), file: syn::parse_file(source).expect("Rust") }];
        let flag = |usage: &str, doc: &str, commands: &[&str]| Flag {
            usage: usage.to_owned(),
            doc: doc.to_owned(),
            commands: commands.iter().map(|&command| command.to_owned()).collect(),
        };
        assert_eq!(
            flags(&files).expect("flags"),
            [
                flag("--listen-on ADDR", "Address [default: a]", &["up", "serve"]),
                flag("--json", "As JSON", &["dlq list"]),
                flag("--limit LIMIT", "So many [default: 100]", &["dlq list"]),
            ]
        );
    }
}
