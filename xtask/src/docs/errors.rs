//! `docs/errors.md`: every stable error code, what it means, and whether to try again.
//!
//! A code stands in one of three places, and nowhere else:
//! - an arm of `fn code(&self) -> &'static str`; the variant's comment says what it means, and `fn retry` whether to
//!   try again. A `code` that is a single text belongs to the whole type;
//! - a row of the `codes!` table of a contract;
//! - a documented `const NAME: &str` in a file called `codes.rs` or `error.rs`.

use std::collections::{BTreeMap, BTreeSet};

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Expr, ExprLit, Ident, ImplItem, ImplItemFn, ItemConst, ItemEnum, ItemImpl, ItemMacro, ItemMod,
    ItemStruct, Lit, LitStr, Pat, ReturnType, Stmt, Token, Type,
};

use super::read::{Parsed, cell, doc, is_test};

const INTRODUCTION: &str = "\
# Error codes

<!-- Written by `cargo xtask docs` from the sources. Do not edit. -->

Codes are stable: they keep their meaning from one release to the next, and a code that is gone is not used again. They
appear as `code` in the JSON of an answer, as `error.code` in logs and spans, as a label of metrics, and in
`trunkline dlq list`. Codes that begin with `ErrCode` are those of the messaging and voice contracts; Twilio's own error number, if
there is one, stands beside them.

*Again?* says what a second try is worth. *No*: the answer will not change. *Yes*: the same may work later, and trying
does no harm. *Look first*: the request left and its effect is not known, so look at the far side before repeating
anything that has an effect. Where it is empty it depends on the cause.
";

/// One code.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    code: String,
    meaning: String,
    again: &'static str,
    /// The file that it stands in.
    place: String,
}

/// The page, and what is wrong: codes that appear twice, are not documented, or stand where they should not.
pub(super) fn document(files: &[Parsed]) -> (String, Vec<String>) {
    let mut page = vec![INTRODUCTION.to_owned()];
    let mut problems = Vec::new();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let mut strays = Vec::new();
    for crate_files in files.chunk_by(|a, b| a.crate_name() == b.crate_name()) {
        let found: Vec<_> = crate_files.iter().map(Found::in_file).collect();
        problems.extend(found.iter().flat_map(|found| found.problems.clone()));
        let rooms: BTreeSet<_> = found.iter().flat_map(|found| found.rooms.clone()).collect();
        let literals = found.iter().flat_map(|found| found.literals.iter());
        strays.extend(literals.map(|(name, text)| (name.clone(), text.clone(), is_of(text, &rooms))));
        let mut entries: Vec<_> = found.into_iter().flat_map(|found| found.entries).collect();
        // Two contracts of one crate may share a code; it has one row, with what the first says.
        let mut contracts = BTreeSet::new();
        entries.retain(|entry| !entry.code.starts_with("ErrCode") || contracts.insert(entry.code.clone()));
        for entry in &entries {
            if entry.meaning.is_empty() {
                problems.push(format!("{}: {} has no documentation comment", entry.place, entry.code));
            }
            if let Some(first) = places.insert(entry.code.clone(), entry.place.clone()) {
                problems.push(format!("{}: {} is a code in {first} already", entry.place, entry.code));
            }
        }
        page.extend(section(crate_files, &entries));
    }
    for (name, text, is_of_room) in strays {
        if is_of_room || text.starts_with("ErrCode") || places.contains_key(&text) {
            problems.push(format!("{name}: {text} is written out; use the error's code() or the constant"));
        }
    }
    (page.concat(), problems)
}

/// Whether a text looks like a code of one of `rooms`, which keep theirs in constants.
fn is_of(text: &str, rooms: &BTreeSet<String>) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.split_once('.').is_some_and(|(room, rest)| rooms.contains(room) && is_word(rest))
}

fn section(files: &[Parsed], entries: &[Entry]) -> Option<String> {
    let name = files.first().filter(|_| !entries.is_empty())?.crate_name();
    let root = files.iter().find(|file| file.name.ends_with("/src/lib.rs"));
    let about = root.map(|file| doc(&file.file.attrs)).unwrap_or_default();
    let rows: Vec<_> = entries.iter().map(row).collect();
    Some(format!("\n## {name}\n\n{about}\n\n| Code | Meaning | Again? |\n|---|---|---|\n{}", rows.concat()))
}

fn row(Entry { code, meaning, again, .. }: &Entry) -> String {
    format!("| `{code}` | {} | {again} |\n", cell(meaning))
}

/// What one file says about codes.
#[derive(Default)]
struct Found<'a> {
    name: String,
    entries: Vec<Entry>,
    problems: Vec<String>,
    /// First words of the codes in this file's constants.
    rooms: Vec<String>,
    /// File and text of every literal that is not a code in its place.
    literals: Vec<(String, String)>,
    types: BTreeMap<String, TypeDoc>,
    impls: Vec<CodeImpl<'a>>,
}

#[derive(Default)]
struct TypeDoc {
    doc: String,
    variants: BTreeMap<String, String>,
}

/// A type's `code`, and its `retry` if it has one.
struct CodeImpl<'a> {
    of: String,
    code: &'a ImplItemFn,
    retry: Option<&'a ImplItemFn>,
}

impl<'a> Found<'a> {
    fn in_file(parsed: &'a Parsed) -> Self {
        let mut found = Self { name: parsed.name.clone(), ..Self::default() };
        found.visit_file(&parsed.file);
        for CodeImpl { of, code, retry } in std::mem::take(&mut found.impls) {
            found.read_impl(&of, code, retry);
        }
        found
    }

    fn read_impl(&mut self, of: &str, code: &ImplItemFn, retry: Option<&ImplItemFn>) {
        let known = self.types.remove(of).unwrap_or_default();
        let again = retry.map_or_else(|| Ok(BTreeMap::new()), advice);
        let again = again.unwrap_or_else(|problem| {
            self.problems.push(format!("{}: {of}::retry: {problem}", self.name));
            BTreeMap::new()
        });
        match codes(code) {
            Ok(Codes::OfType(code)) => self.add(code, known.doc, ""),
            Ok(Codes::OfVariants(pairs)) => {
                for (variant, code) in pairs {
                    let again = again.get(variant.as_str()).or_else(|| again.get("_")).copied().unwrap_or_default();
                    self.add(code, known.variants.get(&variant).cloned().unwrap_or_default(), again);
                }
            }
            Err(problem) => self.problems.push(format!("{}: {of}::code: {problem}", self.name)),
        }
    }

    fn add(&mut self, code: String, meaning: String, again: &'static str) {
        self.entries.push(Entry { code, meaning, again, place: self.name.clone() });
    }

    fn is_place_of_constants(&self) -> bool {
        self.name.ends_with("/codes.rs") || self.name.ends_with("/error.rs")
    }
}

impl<'ast> Visit<'ast> for Found<'ast> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        let variants = item.variants.iter().map(|variant| (variant.ident.to_string(), doc(&variant.attrs)));
        let known = TypeDoc { doc: doc(&item.attrs), variants: variants.collect() };
        self.types.insert(item.ident.to_string(), known);
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        let known = TypeDoc { doc: doc(&item.attrs), ..TypeDoc::default() };
        self.types.insert(item.ident.to_string(), known);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let method = |name: &str, returns: fn(&Type) -> bool| {
            item.items.iter().find_map(|item| match item {
                ImplItem::Fn(function) if function.sig.ident == name && output_is(function, returns) => Some(function),
                _ => None,
            })
        };
        let Some(code) = method("code", is_str).filter(|_| item.trait_.is_none()) else {
            return visit::visit_item_impl(self, item);
        };
        let retry = method("retry", |output| last_word(output).as_deref() == Some("Retry"));
        let of = last_word(&item.self_ty).unwrap_or_default();
        self.impls.push(CodeImpl { of, code, retry });
        let is_code = |item: &&ImplItem| matches!(item, ImplItem::Fn(function) if function.sig.ident == "code");
        item.items.iter().filter(|item| !is_code(item)).for_each(|other| self.visit_impl_item(other));
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        if item.mac.path.segments.last().is_some_and(|name| name.ident == "codes") {
            match item.mac.parse_body_with(Punctuated::<Row, Token![,]>::parse_terminated) {
                Ok(rows) => rows.into_iter().for_each(|row| self.add(row.code, row.doc, "")),
                Err(error) => self.problems.push(format!("{}: the codes! table: {error}", self.name)),
            }
        }
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        match &*item.expr {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if self.is_place_of_constants() && is_str(&item.ty) => {
                let code = text.value();
                self.rooms.extend(code.split_once('.').map(|(room, _)| room.to_owned()));
                self.add(code, doc(&item.attrs), "");
            }
            _ => visit::visit_item_const(self, item),
        }
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.literals.push((self.name.clone(), text.value()));
    }
}

/// A row of a `codes!` table: comment, variant, `=>`, text.
struct Row {
    doc: String,
    code: String,
}

impl Parse for Row {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = Attribute::parse_outer(input)?;
        let _variant: Ident = input.parse()?;
        let _arrow: Token![=>] = input.parse()?;
        Ok(Self { doc: doc(&attributes), code: input.parse::<LitStr>()?.value() })
    }
}

enum Codes {
    OfType(String),
    /// Variant and code, in order; variants that pass on the code of their cause are left out.
    OfVariants(Vec<(String, String)>),
}

fn codes(function: &ImplItemFn) -> Result<Codes, &'static str> {
    let body = only_expression(function)?;
    if let Some(text) = literal(body) {
        return Ok(Codes::OfType(text));
    }
    let mut pairs = Vec::new();
    for arm in arms(body)? {
        let code = match &*arm.body {
            Expr::MethodCall(call) if call.method == "code" => continue,
            other => literal(other).ok_or("an arm is neither a text nor the code() of a cause")?,
        };
        pairs.extend(variants(&arm.pat)?.into_iter().map(|variant| (variant, code.clone())));
    }
    Ok(Codes::OfVariants(pairs))
}

/// Variant (or `_`) and what its `retry` says.
fn advice(function: &ImplItemFn) -> Result<BTreeMap<String, &'static str>, &'static str> {
    let mut advice = BTreeMap::new();
    for arm in arms(only_expression(function)?)? {
        let name = match &*arm.body {
            Expr::Path(path) => path.path.segments.last(),
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) => path.path.segments.last(),
                _ => None,
            },
            _ => None,
        };
        let again = match name.map(|segment| segment.ident.to_string()).as_deref() {
            Some("No") => "no",
            Some("After") => "yes",
            Some("Unknown") => "look first",
            _ => return Err("an arm is not a Retry"),
        };
        advice.extend(variants(&arm.pat)?.into_iter().map(|variant| (variant, again)));
    }
    Ok(advice)
}

fn only_expression(function: &ImplItemFn) -> Result<&Expr, &'static str> {
    match function.block.stmts.as_slice() {
        [Stmt::Expr(expression, None)] => Ok(expression),
        _ => Err("is more than one expression"),
    }
}

fn arms(expression: &Expr) -> Result<&[Arm], &'static str> {
    match expression {
        Expr::Match(matched) => Ok(&matched.arms),
        _ => Err("is not a match over the variants"),
    }
}

fn variants(pattern: &Pat) -> Result<Vec<String>, &'static str> {
    let last = |path: &syn::Path| path.segments.last().map(|segment| vec![segment.ident.to_string()]);
    let found = match pattern {
        Pat::Path(pattern) => last(&pattern.path),
        Pat::Struct(pattern) => last(&pattern.path),
        Pat::TupleStruct(pattern) => last(&pattern.path),
        Pat::Wild(_) => Some(vec!["_".to_owned()]),
        Pat::Or(either) => {
            return either.cases.iter().map(variants).collect::<Result<Vec<_>, _>>().map(|found| found.concat());
        }
        _ => None,
    };
    found.ok_or("an arm is not a variant")
}

fn literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

fn output_is(function: &ImplItemFn, wanted: fn(&Type) -> bool) -> bool {
    matches!(&function.sig.output, ReturnType::Type(_, output) if wanted(output))
}

fn is_str(kind: &Type) -> bool {
    matches!(kind, Type::Reference(reference) if last_word(&reference.elem).as_deref() == Some("str"))
}

fn last_word(kind: &Type) -> Option<String> {
    match kind {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(files: &[(&str, &str)]) -> (String, Vec<String>) {
        let parse = |(name, text): &(&str, &str)| Parsed {
            name: (*name).to_owned(),
            file: syn::parse_file(text).expect("Rust"),
        };
        document(&files.iter().map(parse).collect::<Vec<_>>())
    }

    const ENUM: &str = r#"
        /// Why.
        pub enum LinkError {
            /// The line is cut.
            Cut,
            /// The line is busy | noisy.
            Busy { tries: u32 },
            /// What the other side says.
            Far(FarError),
        }
        impl LinkError {
            pub const fn code(&self) -> &'static str {
                match self {
                    Self::Cut => "link.cut",
                    Self::Busy { .. } => "link.busy",
                    Self::Far(error) => error.code(),
                }
            }
            pub fn retry(&self) -> Retry {
                match self {
                    Self::Busy { .. } => Retry::After(Duration::ZERO),
                    Self::Cut | Self::Far(_) => Retry::Unknown,
                }
            }
        }
        #[cfg(test)]
        mod tests {
            fn f() { assert_eq!(code(), "link.cut"); }
        }
    "#;

    #[test]
    fn codes_take_their_meaning_from_the_variants() {
        let (page, problems) = page(&[("crates/a/src/lib.rs", "//! About a."), ("crates/a/src/link.rs", ENUM)]);
        assert_eq!(problems, Vec::<String>::new());
        assert!(page.contains("\n## a\n\nAbout a.\n\n| Code |"), "{page}");
        assert!(page.contains("| `link.cut` | The line is cut. | look first |"), "{page}");
        assert!(page.contains("| `link.busy` | The line is busy \\| noisy. | yes |"), "{page}");
    }

    #[test]
    fn constants_and_tables_and_whole_types_have_codes() {
        let constants = "/// No such room.\npub(super) const NO_ROOM: &str = \"room.none\";";
        let table = "codes! {\n/// All is wrong.\nWrong => \"ErrCodeWrong\", }";
        let whole = "/// Not an id.\nstruct IdError;\nimpl IdError { fn code(&self) -> &'static str { \"id.bad\" } }";
        let files = [("crates/a/src/codes.rs", constants), ("crates/a/src/t.rs", table), ("crates/a/src/w.rs", whole)];
        let (page, problems) = page(&files);
        assert_eq!(problems, Vec::<String>::new());
        for row in
            ["| `room.none` | No such room. |", "| `ErrCodeWrong` | All is wrong. |", "| `id.bad` | Not an id. |"]
        {
            assert!(page.contains(row), "{row} in {page}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file() {
        let constants = "const NO_ROOM: &str = \"link.cut\";";
        let stray = "fn f() { refuse(\"link.other\"); answer(\"ErrCodeElse\"); open(\"link.db3\"); }";
        let files =
            [("crates/a/src/codes.rs", constants), ("crates/a/src/link.rs", ENUM), ("crates/a/src/s.rs", stray)];
        let (_, problems) = page(&files);
        assert_eq!(
            problems,
            [
                "crates/a/src/codes.rs: link.cut has no documentation comment",
                "crates/a/src/link.rs: link.cut is a code in crates/a/src/codes.rs already",
                "crates/a/src/s.rs: link.other is written out; use the error's code() or the constant",
                "crates/a/src/s.rs: ErrCodeElse is written out; use the error's code() or the constant",
            ]
        );
    }

    #[test]
    fn a_code_that_cannot_be_read_is_a_problem() {
        let odd = "struct A; impl A { fn code(&self) -> &'static str { let a = 1; \"a.b\" } }";
        let (_, problems) = page(&[("crates/a/src/a.rs", odd)]);
        assert_eq!(problems, ["crates/a/src/a.rs: A::code: is more than one expression"]);
    }
}
