//! What expressions refer to: names of events, of steps and of the run.

use cel::common::ast::operators::{
    ADD, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR,
    MODULO, MULTIPLY, NEGATE, NOT_EQUALS, OPT_INDEX, OPT_SELECT, SUBSTRACT,
};
use cel::common::ast::{EntryExpr, Expr, LiteralValue};
use cel::{IdedExpr, Program};

use super::expression::Expression;

/// A name that an expression of a node refers to.
#[derive(Debug)]
pub(super) struct Reference {
    /// The name and the fields behind it, as far as they are written out: `steps`, `ask`, `output`.
    pub(super) path: Vec<String>,
    /// The byte of the definition.
    pub(super) at: usize,
}

/// Functions of the language, and those by which it writes its signs.
const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bytes",
    "bool",
    "dyn",
    "type",
    "max",
    "min",
    "_?_:_",
    "@not_strictly_false",
    LOGICAL_AND,
    LOGICAL_OR,
    LOGICAL_NOT,
    ADD,
    SUBSTRACT,
    MULTIPLY,
    DIVIDE,
    MODULO,
    EQUALS,
    NOT_EQUALS,
    GREATER,
    GREATER_EQUALS,
    LESS,
    LESS_EQUALS,
    NEGATE,
    INDEX,
    OPT_INDEX,
    OPT_SELECT,
    IN,
];
/// Names of kinds of values, as `type()` gives them.
const KINDS: &[&str] = &["string", "int", "uint", "double", "bytes", "bool", "list", "map", "null_type", "type"];

/// Paths, and functions that there are not, with their byte in the expression.
pub(super) fn references(expression: &Expression) -> References {
    let mut walk = Walk { program: expression.program(), found: References::default() };
    walk.visit(expression.program().expression(), &mut Vec::new());
    walk.found
}

/// What an expression refers to, each with its byte in it.
#[derive(Default)]
pub(super) struct References {
    pub(super) names: Vec<(Vec<String>, usize)>,
    /// Functions that there are not.
    pub(super) functions: Vec<(String, usize)>,
}

struct Walk<'a> {
    program: &'a Program,
    found: References,
}

impl Walk<'_> {
    fn at(&self, id: u64) -> usize {
        self.program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize)
    }

    fn visit(&mut self, node: &IdedExpr, locals: &mut Vec<String>) {
        if let Some((path, root)) = path(node) {
            let is_known = path.first().is_some_and(|root| {
                locals.contains(root) || root.starts_with('@') || (path.len() == 1 && KINDS.contains(&root.as_str()))
            });
            if !is_known {
                self.found.names.push((path, self.at(root)));
            }
            return;
        }
        match &node.expr {
            Expr::Call(call) => {
                if !FUNCTIONS.contains(&call.func_name.as_str()) {
                    self.found.functions.push((call.func_name.clone(), self.at(node.id)));
                }
                for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
                    self.visit(part, locals);
                }
            }
            Expr::Comprehension(it) => {
                self.visit(&it.iter_range, locals);
                let outer = locals.len();
                locals.extend([it.iter_var.clone(), it.accu_var.clone()]);
                locals.extend(it.iter_var2.clone());
                for part in [&it.accu_init, &it.loop_cond, &it.loop_step, &it.result] {
                    self.visit(part, locals);
                }
                locals.truncate(outer);
            }
            Expr::List(list) => list.elements.iter().for_each(|part| self.visit(part, locals)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr, locals)),
            Expr::Struct(it) => it.entries.iter().for_each(|entry| self.entry(&entry.expr, locals)),
            Expr::Select(select) => self.visit(&select.operand, locals),
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &EntryExpr, locals: &mut Vec<String>) {
        match entry {
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key, locals);
                self.visit(&entry.value, locals);
            }
            EntryExpr::StructField(field) => self.visit(&field.value, locals),
        }
    }
}

/// How many operations stand one in another.
pub(super) fn levels(node: &IdedExpr) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(levels).max().unwrap_or_default();
    let within = match &node.expr {
        Expr::Call(call) => deepest(&mut call.target.iter().map(AsRef::as_ref).chain(&call.args)),
        Expr::Comprehension(it) => {
            let parts = [&it.iter_range, &it.accu_init, &it.loop_cond, &it.loop_step, &it.result];
            deepest(&mut parts.into_iter())
        }
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => map.entries.iter().map(|entry| levels_of_entry(&entry.expr)).max().unwrap_or_default(),
        Expr::Struct(it) => it.entries.iter().map(|entry| levels_of_entry(&entry.expr)).max().unwrap_or_default(),
        Expr::Select(select) => levels(&select.operand),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => 0,
    };
    within + 1
}

fn levels_of_entry(entry: &EntryExpr) -> usize {
    match entry {
        EntryExpr::MapEntry(entry) => levels(&entry.key).max(levels(&entry.value)),
        EntryExpr::StructField(field) => levels(&field.value),
    }
}

/// A name and its fields, and the id of the name. What is asked by `has()` may be missing, so that it ends the path.
fn path(node: &IdedExpr) -> Option<(Vec<String>, u64)> {
    match &node.expr {
        Expr::Ident(name) => Some((vec![name.clone()], node.id)),
        Expr::Select(select) => {
            let (mut names, root) = path(&select.operand)?;
            if !select.test {
                names.push(select.field.clone());
            }
            Some((names, root))
        }
        Expr::Call(call) if call.func_name == INDEX => {
            let [of, field] = call.args.as_slice() else { return None };
            let Expr::Literal(LiteralValue::String(field)) = &field.expr else { return None };
            let (mut names, root) = path(of)?;
            names.push(field.inner().to_owned());
            Some((names, root))
        }
        _ => None,
    }
}

/// Whether an expression may come to true or false: it is not plainly something else.
pub(super) fn may_be_condition(expression: &Expression) -> bool {
    is_boolean(expression.program().expression()).unwrap_or(true)
}

fn is_boolean(node: &IdedExpr) -> Option<bool> {
    match &node.expr {
        Expr::Literal(value) => Some(matches!(value, LiteralValue::Boolean(_))),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => Some(false),
        Expr::Call(call) => match call.func_name.as_str() {
            ADD | SUBSTRACT | MULTIPLY | DIVIDE | MODULO | NEGATE | "size" | "string" | "int" | "uint" | "double"
            | "bytes" | "type" => Some(false),
            "_?_:_" => match call.args.as_slice() {
                [_, yes, no] => (is_boolean(yes) == Some(false) || is_boolean(no) == Some(false)).then_some(false),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
