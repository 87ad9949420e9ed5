//! Conditions and values: expressions of the Common Expression Language, and texts with such expressions in them.
//!
//! An expression cannot loop without end, reads nothing but what it is given, and changes nothing. Its errors never hold
//! what it was evaluated over.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map};
use cel::{Context, Env, ExecutionError, Program, Value as Cel};
use serde_json::Value;

use super::reference::levels;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 4 << 10;
/// The largest value that a template may come to, in bytes of JSON.
pub const MAX_VALUE_BYTES: usize = 64 << 10;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Why an expression came to nothing. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// It failed over these values.
    #[error("`{expression}`: {reason}")]
    Failed {
        /// As it was written.
        expression: String,
        /// What did not work.
        reason: &'static str,
    },
    /// Its value is of another kind than was wanted.
    #[error("`{expression}` is not {wanted}")]
    Kind {
        /// As it was written.
        expression: String,
        /// What was wanted.
        wanted: &'static str,
    },
    /// Its value is larger than anything here may be.
    #[error("a value has more than {MAX_VALUE_BYTES} bytes")]
    TooLarge,
}

impl ExpressionError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "workflow.expression_failed",
            Self::Kind { .. } => "workflow.expression_kind",
            Self::TooLarge => "workflow.value_too_large",
        }
    }
}

/// What expressions are evaluated over: values by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Scope(Vec<(&'static str, Cel)>);

impl Scope {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with a value more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &Value) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, to_cel(value)));
        self
    }
}

/// A compiled expression.
pub struct Expression {
    text: String,
    program: Program,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

/// Where in an expression something is wrong, in bytes, and what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: String,
}

impl Expression {
    /// Compiles an expression.
    pub(super) fn compile(text: &str) -> Result<Self, Fault> {
        if text.trim().is_empty() {
            return Err(Fault { at: 0, reason: "is empty".to_owned() });
        }
        if text.len() > MAX_EXPRESSION_BYTES {
            return Err(Fault { at: 0, reason: format!("has more than {MAX_EXPRESSION_BYTES} bytes") });
        }
        // A text that is nested without end would not fit on the stack.
        let (signs, depth) = extent(text);
        if signs > MAX_SIGNS || depth > MAX_DEPTH {
            let reason = format!("has more than {MAX_SIGNS} signs, or is nested more than {MAX_DEPTH} deep");
            return Err(Fault { at: 0, reason });
        }
        let program = compile(text)?.map_err(|errors| {
            let first = errors.errors.into_iter().next();
            let (line, column) = first.as_ref().map_or((1, 1), |error| error.pos);
            let reason = first.map(|error| error.msg).unwrap_or_default();
            let reason = reason.lines().next().unwrap_or_default();
            let reason = reason.split(" expecting {").next().unwrap_or_default();
            Fault { at: offset(text, line, column), reason: reason.trim_start_matches("Syntax error: ").to_owned() }
        })?;
        Ok(Self { text: text.to_owned(), program })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) const fn program(&self) -> &Program {
        &self.program
    }

    /// What it comes to.
    ///
    /// # Errors
    /// `workflow.expression_failed`, `workflow.expression_kind`.
    pub fn value(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        let value = self.run(scope)?;
        value.json().map_err(|_| self.not("a value that can be written as JSON"))
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// `workflow.expression_failed`, `workflow.expression_kind`.
    pub fn holds(&self, scope: &Scope) -> Result<bool, ExpressionError> {
        match self.run(scope)? {
            Cel::Bool(holds) => Ok(holds),
            _ => Err(self.not("true or false")),
        }
    }

    fn run(&self, scope: &Scope) -> Result<Cel, ExpressionError> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for (name, value) in &scope.0 {
            context.add_variable_from_value(*name, value);
        }
        self.program.execute(&context).map_err(|error| ExpressionError::Failed {
            expression: self.text.clone(),
            reason: match error {
                ExecutionError::NoSuchKey(_) => "there is no such field",
                ExecutionError::UndeclaredReference(_) => "it names something that is not there",
                ExecutionError::IndexOutOfBounds(_) => "a list is shorter than that",
                ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "it divides by zero",
                ExecutionError::Overflow(..) => "a number is too large",
                ExecutionError::NoSuchOverload(_)
                | ExecutionError::ValuesNotComparable(..)
                | ExecutionError::UnsupportedBinaryOperator(..)
                | ExecutionError::UnexpectedType { .. }
                | ExecutionError::UnsupportedTargetType { .. } => "its values are of kinds that do not go together",
                _ => "it cannot be evaluated",
            },
        })
    }

    fn not(&self, wanted: &'static str) -> ExpressionError {
        ExpressionError::Kind { expression: self.text.clone(), wanted }
    }
}

/// Signs in an expression at most, and brackets that are open at once: each is a level of nesting when it is read or
/// evaluated, and the stack is not without end. A prefix, and a choice, nest like a bracket.
const MAX_SIGNS: usize = 400;
const MAX_DEPTH: usize = 24;

/// The stack that compiling an expression may need: the grammar of the language is as deep as its list of signs, for each
/// level of nesting.
const STACK_BYTES: usize = 64 << 20;

/// Levels of a compiled expression: each takes some of the stack when it is evaluated.
const MAX_LEVELS: usize = 40;

/// Compiles on a stack of its own. Done once for each expression, when a definition is read.
fn compile(text: &str) -> Result<Result<Program, cel::ParseErrors>, Fault> {
    let stack = std::thread::Builder::new().stack_size(STACK_BYTES);
    let work = || match ENVIRONMENT.compile(text) {
        Ok(program) if levels(program.expression()) > MAX_LEVELS => {
            Err(Fault { at: 0, reason: format!("has more than {MAX_LEVELS} operations one in another") })
        }
        compiled => Ok(compiled),
    };
    std::thread::scope(|scope| stack.spawn_scoped(scope, work).ok()?.join().ok())
        .unwrap_or_else(|| Err(Fault { at: 0, reason: "cannot be compiled".to_owned() }))
}

/// How many signs an expression has outside of quotes, and how deep it is nested at most. Signs of two letters are one.
fn extent(text: &str) -> (usize, usize) {
    let (mut signs, mut depth, mut deepest, mut prefixes) = (0_usize, 0_usize, 0, 0_usize);
    let (mut quote, mut last) = (None, ' ');
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => {
                letters.next();
            }
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => {
                depth += 1;
                signs += 1;
            }
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '!' | '-' | '?') => {
                prefixes += 1;
                signs += 1;
            }
            (None, '.' | '+' | '*' | '/' | '%' | ':' | '&' | '|' | '<' | '>' | '=') => {
                signs += usize::from(letter != last);
            }
            (None, 'i') if last.is_whitespace() || last == ')' => signs += 1,
            _ => {}
        }
        deepest = deepest.max(depth + prefixes);
        last = letter;
    }
    (signs, deepest)
}

/// The byte of a line and a column, both from 1.
fn offset(text: &str, line: isize, column: isize) -> usize {
    let before = usize::try_from(line - 1).unwrap_or_default();
    let lines: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let rest = text.get(lines..).unwrap_or_default();
    let wanted = usize::try_from(column - 1).unwrap_or_default();
    lines + rest.char_indices().nth(wanted).map_or(rest.len(), |(at, _)| at)
}

/// JSON as the language has it: whole numbers are `int`, so that they go together with those that are written.
fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Cel::Int(number),
            (None, Some(number)) => Cel::Float(number),
            (None, None) => Cel::Null,
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (Key::String(Arc::new(name.clone())), to_cel(value)));
            Cel::Map(Map { map: Arc::new(fields.collect::<HashMap<_, _>>()) })
        }
    }
}

/// A text with expressions in it: `Hello ${ event.data.name }`. `$${` is written for `${`.
#[derive(Debug)]
pub struct Template(Vec<Piece>);

#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    /// The expression, and where it begins in the template.
    Value(Expression, usize),
}

impl Template {
    /// Reads a template; every expression that does not compile is told.
    pub(super) fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let (mut pieces, mut faults) = (Vec::new(), Vec::new());
        let (mut rest, mut at, mut plain) = (text, 0, String::new());
        while let Some(dollar) = rest.find("${") {
            let (before, behind) = rest.split_at(dollar);
            if let Some(before) = before.strip_suffix('$') {
                plain.push_str(before);
                plain.push_str("${");
                (rest, at) = (behind.get(2..).unwrap_or_default(), at + dollar + 2);
                continue;
            }
            plain.push_str(before);
            let begin = at + dollar + 2;
            let inner = behind.get(2..).unwrap_or_default();
            let Some(end) = closing(inner) else {
                faults.push(Fault { at: begin - 2, reason: "`${` is not closed".to_owned() });
                return Err(faults);
            };
            let (code, behind) = inner.split_at(end);
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            match Expression::compile(code) {
                Ok(expression) => pieces.push(Piece::Value(expression, begin)),
                Err(fault) => faults.push(Fault { at: begin + fault.at, ..fault }),
            }
            (rest, at) = (behind.get(1..).unwrap_or_default(), begin + end + 1);
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        if faults.is_empty() { Ok(Self(pieces)) } else { Err(faults) }
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The text without any expression, if it has none.
    pub fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text that it comes to. Numbers, `true` and `false` are written out.
    ///
    /// # Errors
    /// `workflow.expression_failed`; `workflow.expression_kind` where a value is a list, an object or null;
    /// `workflow.value_too_large`.
    pub fn text(&self, scope: &Scope) -> Result<String, ExpressionError> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value(expression, _) => match expression.value(scope)? {
                    Value::String(value) => text.push_str(&value),
                    // Writing to a text cannot fail.
                    value @ (Value::Number(_) | Value::Bool(_)) => write!(text, "{value}").unwrap_or_default(),
                    _ => return Err(expression.not("a text, a number, true or false")),
                },
            }
            if text.len() > MAX_VALUE_BYTES {
                return Err(ExpressionError::TooLarge);
            }
        }
        Ok(text)
    }

    /// The value that it comes to: of its own kind if the template is one expression and nothing else, a text if not.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn value(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        match self.0.as_slice() {
            [Piece::Value(expression, _)] => {
                let value = expression.value(scope)?;
                if value.to_string().len() > MAX_VALUE_BYTES {
                    return Err(ExpressionError::TooLarge);
                }
                Ok(value)
            }
            _ => Ok(Value::String(self.text(scope)?)),
        }
    }
}

/// Where the bracket closes that is open at the beginning of the text. Those in texts do not count.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => {
                letters.next();
            }
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        Scope::new().with("event", &json!({"data": {"from": "+15550001111", "n": 3, "list": [1, 2], "none": null}}))
    }

    fn text(template: &str) -> Result<String, ExpressionError> {
        Template::read(template).unwrap().text(&scope())
    }

    #[test]
    fn templates_are_filled_in() {
        assert_eq!(text("n is ${ event.data.n + 1 }, {x} $5").unwrap(), "n is 4, {x} $5");
        assert_eq!(text("$${ event }").unwrap(), "${ event }");
        assert_eq!(text("${ {'a}': 'b'}['a}'] }").unwrap(), "b");
        assert_eq!(text("").unwrap(), "");
        let value = |template: &str| Template::read(template).unwrap().value(&scope()).unwrap();
        assert_eq!(value("${ event.data.list }"), json!([1, 2]));
        assert_eq!(value("${ event.data.n } "), json!("3 "));
    }

    #[test]
    fn what_fails_tells_no_value() {
        for (template, code) in [
            ("${ event.data.nobody }", "workflow.expression_failed"),
            ("${ event.data.from + 1 }", "workflow.expression_failed"),
            ("${ event.data.list }", "workflow.expression_kind"),
            ("${ event.data.none }", "workflow.expression_kind"),
        ] {
            let error = text(template).unwrap_err();
            assert_eq!(error.code(), code, "{template}");
            assert!(!error.to_string().contains("555"), "{error}");
        }
        let large = Template::read("${ event.data.from }".repeat(10_000).as_str()).unwrap();
        assert_eq!(large.text(&scope()).unwrap_err(), ExpressionError::TooLarge);
    }

    #[test]
    fn faults_have_places() {
        let fault = |template: &str| Template::read(template).map(drop).unwrap_err().remove(0);
        assert_eq!(fault("ab ${ 1 + }").at, 10);
        assert_eq!(fault("ab ${ 1 ").at, 3);
        assert_eq!(fault("${ }").reason, "is empty");
        assert!(Expression::compile(&"(".repeat(300)).unwrap_err().reason.contains("signs"));
    }
}
