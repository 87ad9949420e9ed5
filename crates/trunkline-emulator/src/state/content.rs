//! Content templates: texts with places to fill in, which alone may open a conversation on WhatsApp.
//!
//! Source: Twilio's page on the content resource. Of each type only the `body` is used; `{{name}}` stands for a variable.
//! Every template counts as approved.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_proto::sid::ContentSid;

use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::{Key, State};
use crate::error::{self, ApiError};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContentTemplate {
    pub(crate) sid: ContentSid,
    pub(crate) position: u64,
    pub(crate) friendly_name: Option<String>,
    pub(crate) language: String,
    /// What stands in a place that a message does not fill.
    pub(crate) variables: BTreeMap<String, String>,
    /// By their names, such as `twilio/text`.
    pub(crate) types: Value,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// A template as it is handed in.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ContentFields {
    friendly_name: Option<String>,
    language: String,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    types: Value,
}

impl ContentTemplate {
    fn text(&self) -> Option<&str> {
        body_of(&self.types)
    }

    /// The text with its places filled in. What stands in a value is no place. It ends soon after it is longer than any
    /// message may be.
    fn filled(&self, variables: &BTreeMap<String, String>) -> String {
        let mut rest = self.text().unwrap_or_default();
        let mut filled = String::new();
        while let Some((before, place)) = rest.split_once("{{")
            && filled.len() <= MAX_FILLED_BYTES
        {
            filled.push_str(before);
            let known = place.split_once("}}").and_then(|(name, after)| {
                let value = variables.get(name).or_else(|| self.variables.get(name))?;
                Some((value.as_str(), after))
            });
            // A place that nothing is known for stays.
            let (piece, after) = known.unwrap_or(("{{", place));
            filled.push_str(piece);
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// More than the longest message has in any script.
const MAX_FILLED_BYTES: usize = 4 * limits::MAX_CHANNEL_BODY_CHARS;
/// What a template may fill in by itself: places, and bytes of all their names and values.
const MAX_VARIABLES: usize = 100;
const MAX_VARIABLE_BYTES: usize = 16 * 1024;

fn body_of(types: &Value) -> Option<&str> {
    types.as_object()?.values().find_map(|one| one.get("body")?.as_str())
}

/// Why a template cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadContent {
    /// There is no such template.
    Sid,
    /// The variables are no JSON object of texts.
    Variables,
}

impl State {
    pub(crate) fn list_contents(&self, size: usize, cursor: Option<Cursor>) -> Slice<ContentTemplate> {
        slice(&self.contents, Order::Ascending, size, cursor, |one| Some(one.clone()))
    }

    pub(crate) fn content(&self, sid: &str) -> Result<&ContentTemplate, ApiError> {
        let missing = || ApiError::not_found(&format!("/Content/{sid}"));
        self.contents.values().find(|one| one.sid.as_str() == sid).ok_or_else(missing)
    }

    pub(crate) fn add_content(&mut self, fields: ContentFields) -> Result<ContentTemplate, ApiError> {
        let ContentFields { friendly_name, language, variables, types } = fields;
        let body = body_of(&types).ok_or_else(|| ApiError::parameter("types"))?;
        if body.chars().count() > limits::MAX_CHANNEL_BODY_CHARS {
            return Err(ApiError::parameter("body"));
        }
        let bytes: usize = variables.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        if variables.len() > MAX_VARIABLES || bytes > MAX_VARIABLE_BYTES {
            return Err(ApiError::parameter("variables"));
        }
        if let Some(name) = &friendly_name {
            limits::check_name(name, error::FRIENDLY_NAME_TOO_LONG)?;
        }
        if self.contents.len() >= limits::MAX_CONTENTS {
            return Err(error::FULL);
        }
        let now = self.now();
        let template = ContentTemplate {
            sid: self.random_sid(ContentSid::from_random),
            position: self.position(),
            friendly_name,
            language,
            variables,
            types,
            date_created: now,
            date_updated: now,
        };
        self.effects.dirty.insert(Key::Content(template.position));
        self.contents.insert(template.position, template.clone());
        Ok(template)
    }

    pub(crate) fn remove_content(&mut self, sid: &str) -> Result<(), ApiError> {
        let position = self.content(sid)?.position;
        self.contents.remove(&position);
        self.effects.dirty.insert(Key::Content(position));
        Ok(())
    }

    /// The template with this SID, and its text with the variables filled in.
    pub(super) fn fill_content(&self, sid: &str, variables: Option<&str>) -> Result<(ContentSid, String), BadContent> {
        let template = self.content(sid).map_err(|_| BadContent::Sid)?;
        let variables = match variables.filter(|text| !text.is_empty()) {
            Some(text) => serde_json::from_str(text).map_err(|_| BadContent::Variables)?,
            None => BTreeMap::new(),
        };
        Ok((template.sid, template.filled(&variables)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, variables: &[(&str, &str)], expected: &str) {
        let of = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let template = ContentTemplate {
            sid: ContentSid::from_random([1; 16]),
            position: 1,
            friendly_name: None,
            language: "en".to_owned(),
            variables: of(&[("own", "ours")]),
            types: serde_json::json!({"twilio/text": {"body": body}}),
            date_created: Timestamp::UNIX_EPOCH,
            date_updated: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(template.filled(&of(variables)), expected);
    }

    #[test]
    fn places_are_filled_once() {
        check("a {{1}} {{own}} {{none}} {{", &[("1", "x")], "a x ours {{none}} {{");
        check("{{own}}", &[("own", "{{1}}"), ("1", "x")], "{{1}}");
        check("{{{1}}}", &[("1", "x")], "{{{1}}}");
    }

    #[test]
    fn a_value_that_holds_places_does_not_grow() {
        let long = "x".repeat(2 * MAX_FILLED_BYTES);
        let body = "{{1}}".repeat(10);
        let expected = format!("{long}{}", "{{1}}".repeat(9));
        check(&body, &[("1", &long)], &expected);
    }
}
