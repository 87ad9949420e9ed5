//! The fields of a table of a definition, read one by one. What is wrong is noted; what was not asked for is unknown.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::definition::{MAX_TIME, Structure};
use super::event::similar;
use super::expression::{Expression, Piece, Template};
use super::problem::Source;
use super::reference::{Reference, References, may_be_condition, references};

/// The deepest nesting of a body or of arguments.
const MAX_DEPTH: usize = 16;

/// A table that is being read.
pub(super) struct Fields<'a, 'i> {
    table: &'a DeTable<'i>,
    /// What it is, for messages: `node "ask"`.
    pub(super) what: String,
    /// Where it stands.
    pub(super) at: usize,
    asked: Vec<&'static str>,
    /// What its expressions refer to.
    pub(super) refers: Vec<Reference>,
}

/// A text, and where it stands.
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Range<usize>,
}

impl<'a, 'i> Fields<'a, 'i> {
    pub(super) fn of(table: &'a Spanned<DeTable<'i>>, what: impl Into<String>) -> Self {
        Self {
            table: table.get_ref(),
            what: what.into(),
            at: table.span().start,
            asked: Vec::new(),
            refers: Vec::new(),
        }
    }

    /// The table behind a value, if it is one.
    pub(super) fn of_value(
        value: &'a Spanned<DeValue<'i>>,
        what: impl Into<String>,
        source: &mut Source<'_>,
    ) -> Option<Self> {
        let what = what.into();
        let DeValue::Table(table) = value.get_ref() else {
            source.problem(value.span().start, format!("{what} must be a table"));
            return None;
        };
        Some(Self { table, what, at: value.span().start, asked: Vec::new(), refers: Vec::new() })
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.asked.push(key);
        let table: &'a DeTable<'i> = self.table;
        table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The names that were given, and where.
    pub(super) fn entries(&self) -> impl Iterator<Item = (String, usize, &'a Spanned<DeValue<'i>>)> + use<'a, 'i> {
        let table: &'a DeTable<'i> = self.table;
        table.iter().map(|(name, value)| (name.get_ref().to_string(), name.span().start, value))
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.get(key)
    }

    pub(super) fn text(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Text> {
        let value = self.get(key)?;
        let DeValue::String(text) = value.get_ref() else {
            source.problem(value.span().start, format!("{key} must be a text"));
            return None;
        };
        Some(Text { value: text.to_string(), span: value.span() })
    }

    /// A text that has to be there.
    pub(super) fn required(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Text> {
        let is_there = self.get(key).is_some();
        if !is_there {
            source.problem(self.at, format!("{} needs {key}", self.what));
        }
        self.text(key, source).filter(|_| is_there)
    }

    pub(super) fn boolean(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<bool> {
        let value = self.get(key)?;
        let DeValue::Boolean(yes) = value.get_ref() else {
            source.problem(value.span().start, format!("{key} must be true or false"));
            return None;
        };
        Some(*yes)
    }

    pub(super) fn number(&mut self, key: &'static str, range: Range<u64>, source: &mut Source<'_>) -> Option<u64> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let most = range.end - 1;
            source.problem(value.span().start, format!("{key} must be a number from {} to {most}", range.start));
        }
        number
    }

    pub(super) fn duration(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Duration> {
        let text = self.text(key, source)?;
        let parsed = text.value.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
        let fits = parsed.filter(|time| !time.is_zero() && *time <= MAX_TIME);
        if fits.is_none() {
            let message = format!("{key} must be a time such as 250ms, 30s, 5m or 24h, of at most 366 days");
            source.problem(text.span.start, message);
        }
        fits
    }

    /// An expression that is true or false.
    pub(super) fn condition(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Expression> {
        let text = self.text(key, source)?;
        match Expression::compile(&text.value) {
            Ok(expression) => {
                if !may_be_condition(&expression) {
                    source.problem(text.span.start, format!("{key} must be true or false"));
                }
                self.refers_to(&expression, &text, 0, source);
                Some(expression)
            }
            Err(fault) => {
                let at = source.within(&text.span, &text.value, fault.at);
                source.problem(at, format!("{key} is not an expression: {}", fault.reason));
                None
            }
        }
    }

    pub(super) fn template(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Template> {
        let text = self.text(key, source)?;
        self.read_template(&text, source)
    }

    pub(super) fn required_template(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Template> {
        let text = self.required(key, source)?;
        self.read_template(&text, source)
    }

    /// A table of templates.
    pub(super) fn templates(&mut self, key: &'static str, source: &mut Source<'_>) -> BTreeMap<String, Template> {
        let Some(value) = self.get(key) else { return BTreeMap::new() };
        let Some(fields) = Fields::of_value(value, key, source) else { return BTreeMap::new() };
        let mut found = BTreeMap::new();
        for (name, _, value) in fields.entries() {
            let DeValue::String(text) = value.get_ref() else {
                source.problem(value.span().start, format!("{key}.{name} must be a text"));
                continue;
            };
            let text = Text { value: text.to_string(), span: value.span() };
            found.extend(self.read_template(&text, source).map(|template| (name, template)));
        }
        found
    }

    /// A list of texts; one text is a list of one.
    pub(super) fn texts(&mut self, key: &'static str, source: &mut Source<'_>) -> Vec<Text> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut found = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => found.push(Text { value: text.to_string(), span: item.span() }),
                _ => source.problem(item.span().start, format!("{key} must be a list of texts")),
            }
        }
        found
    }

    /// Anything, with templates in it.
    pub(super) fn structure(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Structure> {
        let value = self.get(key)?;
        self.read_structure(value, 0, source)
    }

    fn read_template(&mut self, text: &Text, source: &mut Source<'_>) -> Option<Template> {
        match Template::read(&text.value) {
            Ok(template) => {
                for piece in template.pieces() {
                    if let Piece::Value(expression, offset) = piece {
                        self.refers_to(expression, text, *offset, source);
                    }
                }
                Some(template)
            }
            Err(faults) => {
                for fault in faults {
                    let at = source.within(&text.span, &text.value, fault.at);
                    source.problem(at, format!("the expression cannot be read: {}", fault.reason));
                }
                None
            }
        }
    }

    /// Notes what an expression refers to, which begins at a byte of a text.
    fn refers_to(&mut self, expression: &Expression, text: &Text, offset: usize, source: &mut Source<'_>) {
        let References { names, functions } = references(expression);
        for (name, at) in functions {
            let at = source.within(&text.span, &text.value, offset + at);
            source.problem(at, format!("there is no function {name}"));
        }
        for (path, at) in names {
            let at = source.within(&text.span, &text.value, offset + at);
            self.refers.push(Reference { path, at });
        }
    }

    fn read_structure(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        depth: usize,
        source: &mut Source<'_>,
    ) -> Option<Structure> {
        if depth > MAX_DEPTH {
            source.problem(value.span().start, format!("is nested more than {MAX_DEPTH} deep"));
            return None;
        }
        Some(match value.get_ref() {
            DeValue::String(text) => {
                let text = Text { value: text.to_string(), span: value.span() };
                Structure::Text(self.read_template(&text, source)?)
            }
            DeValue::Integer(number) => {
                Structure::Plain(i64::from_str_radix(number.as_str(), number.radix()).ok()?.into())
            }
            DeValue::Float(number) => Structure::Plain(number.as_str().parse::<f64>().ok()?.into()),
            DeValue::Boolean(yes) => Structure::Plain(Value::Bool(*yes)),
            DeValue::Datetime(time) => Structure::Plain(Value::String(time.to_string())),
            DeValue::Array(items) => {
                let items = items.iter().filter_map(|item| self.read_structure(item, depth + 1, source));
                Structure::List(items.collect())
            }
            DeValue::Table(fields) => {
                let mut table = BTreeMap::new();
                for (name, value) in fields {
                    if let Some(value) = self.read_structure(value, depth + 1, source) {
                        table.insert(name.get_ref().to_string(), value);
                    }
                }
                Structure::Table(table)
            }
        })
    }

    /// Notes every field that nobody has asked for.
    pub(super) fn end(self, source: &mut Source<'_>) {
        for (name, at, _) in self.entries() {
            if self.asked.contains(&name.as_str()) {
                continue;
            }
            let meant = similar(&name, self.asked.iter().copied());
            let hint = meant.map(|meant| format!("; is {meant} meant?")).unwrap_or_default();
            source.problem(at, format!("{} has no field {name}{hint}", self.what));
        }
    }
}
