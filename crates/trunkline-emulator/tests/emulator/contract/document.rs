//! Twilio's API description as a judge of answers.

use std::collections::BTreeMap;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::Answer;

/// An operation and how its answers are judged, by status.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: String,
    answers: BTreeMap<u16, Option<(Validator, Vec<String>)>>,
}

pub(super) struct Document {
    pub(super) operations: Vec<Operation>,
}

impl Document {
    pub(super) fn conversations() -> Self {
        Self::read(include_str!("../../data/twilio_conversations_v1.json"))
    }

    pub(super) fn messages() -> Self {
        Self::read(include_str!("../../data/twilio_messages_v2010.json"))
    }

    fn read(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap();
        let schemas = nullable(document["components"]["schemas"].clone());
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let answers = operation["responses"].as_object().unwrap().iter().map(|(status, response)| {
                    let schema = &response["content"]["application/json"]["schema"];
                    let judge = (!schema.is_null()).then(|| {
                        let mut whole = nullable(schema.clone());
                        let keys = keys_of(&whole, &schemas);
                        whole["components"] = json!({"schemas": schemas});
                        (jsonschema::validator_for(&whole).unwrap(), keys)
                    });
                    (status.parse().unwrap(), judge)
                });
                let method = method.to_uppercase().parse().unwrap();
                operations.push(Operation { method, path: path.clone(), answers: answers.collect() });
            }
        }
        Self { operations }
    }

    /// Judges an answer: an error must look like one, anything else must be as the document says.
    pub(super) fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let status = answer.status.as_u16();
        let what = format!("{method} {path} {status}: {}", answer.body);
        if status >= 400 {
            let keys: Vec<_> = answer.body.as_object().unwrap_or_else(|| panic!("{what}")).keys().collect();
            assert_eq!(keys, ["code", "message", "more_info", "status"], "{what}");
            assert_eq!(answer.body["status"], status, "{what}");
            return;
        }
        let bare = path.split('?').next().unwrap_or_default();
        let found = self.operations.iter().filter(|one| one.method == *method && fits(&one.path, bare));
        // The path with the fewest parameters is meant.
        let operation = found.min_by_key(|one| one.path.matches('{').count()).unwrap_or_else(|| panic!("{what}"));
        let judge = operation.answers.get(&status).unwrap_or_else(|| panic!("the document has no such status: {what}"));
        match judge {
            None => assert_eq!(answer.body, Value::Null, "{what}"),
            Some((validator, keys)) => {
                let problems: Vec<_> = validator.iter_errors(&answer.body).map(|problem| problem.to_string()).collect();
                assert!(problems.is_empty(), "{problems:?} in {what}");
                let missing: Vec<_> = keys.iter().filter(|key| answer.body.get(key.as_str()).is_none()).collect();
                assert!(missing.is_empty(), "{missing:?} missing in {what}");
            }
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(wanted, is): (&&str, &&str)| {
        let suffix = wanted.rsplit('}').next().unwrap_or_default();
        if wanted.starts_with('{') { is.ends_with(suffix) && !is.is_empty() } else { wanted == is }
    };
    template.len() == path.len() && template.iter().zip(&path).all(same)
}

/// The keys that an answer must have: all of the resource's own. Lists have pages, which no schema here names alike.
fn keys_of(schema: &Value, schemas: &Value) -> Vec<String> {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let properties = name.and_then(|name| schemas[name]["properties"].as_object());
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// `nullable`, which JSON Schema does not know, as a type. Twilio answers `null` for enumerations that nobody has set, so
/// that a reference may be null as well.
fn nullable(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let may_be_null = fields.get("nullable") == Some(&Value::Bool(true));
            let mut new: Map<String, Value> = Map::new();
            for (name, value) in fields {
                let value = match (name.as_str(), value) {
                    ("type", Value::String(kind)) if may_be_null => json!([kind, "null"]),
                    ("properties", Value::Object(all)) => {
                        all.into_iter().map(|(name, one)| (name, or_null(nullable(one)))).collect()
                    }
                    (_, value) => nullable(value),
                };
                new.insert(name, value);
            }
            Value::Object(new)
        }
        Value::Array(all) => all.into_iter().map(nullable).collect(),
        other => other,
    }
}

fn or_null(schema: Value) -> Value {
    if schema.get("$ref").is_some() { json!({"anyOf": [schema, {"type": "null"}]}) } else { schema }
}
