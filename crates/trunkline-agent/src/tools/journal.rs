//! Where calls of tools are written down before they are made, so that no later try makes one again unknowingly.
//!
//! An answer may fail after a tool has acted, the process may be killed, the person may write or speak before the
//! answer is there. What was done is done all the same. Whoever answers next is told of it, and a call whose end nobody
//! knows is made again under the same name only.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use trunkline_core::{Pii, derived_name};

use super::{Effect, ToolCall, ToolContext, ToolError, ToolReport};

/// A call that acted, and that no answer has taken account of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeCall {
    /// The turn that it was made for.
    pub turn: String,
    /// Its name, [`ToolContext::key`].
    pub key: String,
    /// The tool.
    pub tool: String,
    /// What it was given, JSON.
    pub arguments: Pii<String>,
    /// What it gave.
    pub result: Pii<String>,
    /// Why it failed, or that its end is not known: [`ToolError::code`].
    pub error_code: Option<String>,
    /// What it is to change of the conversation.
    pub effects: Vec<Effect>,
    /// When it ended, or else began.
    pub at: Timestamp,
}

impl MadeCall {
    /// Whether it may or may not have been done.
    fn is_unsettled(&self) -> bool {
        self.error_code.as_deref().is_some_and(is_unsettled)
    }

    /// What a model is told that it gave.
    #[must_use]
    pub fn told(&self) -> Pii<String> {
        let unfinished = ToolError::Unfinished;
        if self.error_code.as_deref() == Some(unfinished.code()) {
            return Pii::new(format!("error: {unfinished}"));
        }
        self.result.clone()
    }
}

fn is_unsettled(code: &str) -> bool {
    let unsettled =
        [ToolError::Unfinished, ToolError::Unreachable, ToolError::Timeout(Duration::ZERO), ToolError::Broke(500)];
    unsettled.iter().any(|one| one.code() == code)
}

/// The journal cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the calls of tools cannot be written down")]
pub struct JournalError;

/// Keeps calls of tools.
#[async_trait]
pub trait ToolJournal: Send + Sync {
    /// The calls that acted, and that no answer has taken account of, oldest first. One that is being made is waited for,
    /// for a while.
    ///
    /// # Errors
    /// [`JournalError`].
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn made(&self, context: &ToolContext) -> Result<Vec<MadeCall>, JournalError>;

    /// A call is about to be made. It `acts` if it may change something outside.
    ///
    /// # Errors
    /// [`JournalError`]: then it is not made.
    ///
    /// # Cancel safety
    /// The call may have been written down; then its end is not known.
    async fn begins(
        &self,
        context: &ToolContext,
        call: &ToolCall,
        acts: bool,
    ) -> Result<Box<dyn ToolEntry>, JournalError>;
}

/// A call that is being made.
#[async_trait]
pub trait ToolEntry: Send {
    /// Its number in the turn.
    fn number(&self) -> usize;

    /// It has ended. Whoever keeps it deals with failure: what was done is done.
    ///
    /// # Cancel safety
    /// The end may not have been written down; then it is not known.
    async fn ends(self: Box<Self>, report: &ToolReport, effects: &[Effect]);
}

impl fmt::Debug for dyn ToolJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToolJournal")
    }
}

/// The calls of one try of a turn, after those that earlier tries have made: it names the next ones.
///
/// The name of a call is made from the turn, the tool and its arguments, and from how often the turn has had the same
/// before. One that may or may not have been done has the name that it had.
#[derive(Debug, Clone, Default)]
pub struct ToolUse {
    count: usize,
    seen: HashMap<String, usize>,
    unsettled: HashMap<String, Vec<String>>,
}

impl ToolUse {
    /// After these, of which the turn of this name has made some.
    #[must_use]
    pub fn after(turn: &str, made: &[MadeCall]) -> Self {
        let mut all = Self::default();
        for call in made {
            let what = what(&call.tool, call.arguments.expose());
            if call.turn == turn {
                all.count += 1;
                *all.seen.entry(what.clone()).or_default() += 1;
            }
            // The last one of a name says what became of it.
            let keys = all.unsettled.entry(what).or_default();
            keys.retain(|key| *key != call.key);
            if call.is_unsettled() {
                keys.push(call.key.clone());
            }
        }
        all
    }

    /// Names the next call of a turn.
    pub(super) fn name(&mut self, context: &ToolContext, call: &ToolCall) -> ToolContext {
        let what = what(&call.name, call.arguments.expose());
        let again = self.unsettled.get_mut(&what).and_then(Vec::pop);
        let key = again.unwrap_or_else(|| {
            let seen = self.seen.entry(what.clone()).or_default();
            *seen += 1;
            derived_name(format!("{}\n{what}\n{seen}", context.turn))
        });
        let number = self.count;
        self.count += 1;
        ToolContext { number, key, ..context.clone() }
    }

    /// What a call that was named came to.
    pub(super) fn ended(&mut self, key: &str, call: &ToolCall, report: &ToolReport) {
        if report.error_code.is_some_and(is_unsettled) {
            let what = what(&call.name, call.arguments.expose());
            self.unsettled.entry(what).or_default().push(key.to_owned());
        }
    }
}

/// The tool and its arguments, however they are written.
fn what(tool: &str, arguments: &str) -> String {
    let same =
        serde_json::from_str::<Value>(arguments).map_or_else(|_| arguments.to_owned(), |value| value.to_string());
    format!("{tool}\n{same}")
}

#[cfg(test)]
mod tests {
    use trunkline_core::Channel;

    use super::*;

    fn context() -> ToolContext {
        ToolContext {
            turn: "turn-1".into(),
            number: 0,
            key: String::new(),
            conversation: "c".into(),
            contact: "p".into(),
            channel: Channel::Sms,
            deadline: Duration::from_secs(1),
            traceparent: None,
        }
    }

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "1".into(), name: "book".into(), arguments: Pii::new(arguments.into()) }
    }

    fn made(key: &str, error_code: Option<&str>) -> MadeCall {
        MadeCall {
            turn: "turn-1".into(),
            key: key.into(),
            tool: "book".into(),
            arguments: Pii::new(r#"{"b":2,"a":1}"#.into()),
            result: Pii::default(),
            error_code: error_code.map(str::to_owned),
            effects: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_same_wish_has_the_same_name_and_another_one_another() {
        let (mut one, mut other) = (ToolUse::default(), ToolUse::default());
        let first = one.name(&context(), &call(r#"{"a":1,"b":2}"#));
        assert_eq!(first.key, other.name(&context(), &call(r#"{ "b": 2, "a": 1 }"#)).key);
        let second = one.name(&context(), &call(r#"{"a":1,"b":2}"#));
        assert_ne!(first.key, second.key, "two of the same in one answer are two");
        assert_eq!((first.number, second.number), (0, 1));
        assert_ne!(first.key, one.name(&context(), &call(r#"{"a":2,"b":2}"#)).key);
    }

    #[test]
    fn what_may_have_been_done_keeps_its_name_and_what_was_done_does_not() {
        let wish = call(r#"{"a":1,"b":2}"#);
        for code in ["tool.unfinished", "tool.timeout", "tool.unreachable", "tool.broke"] {
            let named = ToolUse::after("turn-1", &[made("k", Some(code))]).name(&context(), &wish);
            assert_eq!((named.key.as_str(), named.number), ("k", 1), "{code}");
        }
        for code in [None, Some("tool.failed")] {
            assert_ne!(ToolUse::after("turn-1", &[made("k", code)]).name(&context(), &wish).key, "k", "{code:?}");
        }
        // It was made again, and then was done.
        let both = [made("k", Some("tool.timeout")), made("k", None)];
        let named = ToolUse::after("turn-1", &both).name(&context(), &wish);
        assert!(named.key != "k" && named.number == 2);
        // Another turn may make as many calls as ever.
        let others = MadeCall { turn: "turn-0".into(), ..made("k", Some("tool.timeout")) };
        let named = ToolUse::after("turn-1", &[others]).name(&context(), &wish);
        assert_eq!((named.key.as_str(), named.number), ("k", 0));
    }
}
