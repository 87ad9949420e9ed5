//! What an agent is given of summaries with a turn.

use std::time::Duration;

use jiff::tz::TimeZone;
use trunkline_core::Pii;
use trunkline_store::SummaryRow;

use super::Summaries;
use crate::recall::Way;

/// Summaries of one person that an agent is given.
const MAX_GIVEN: u32 = 4;
/// Of all of them, in bytes.
const MAX_BYTES: usize = 8 << 10;
/// How long an answer to a text waits for them, and one in a call.
const TEXT_DEADLINE: Duration = Duration::from_millis(150);
const CALL_DEADLINE: Duration = Duration::from_millis(50);

impl Summaries {
    /// What was said with a person before, in short: in this conversation, then in others of theirs.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn given(&self, way: Way, contact_id: &str, conversation_id: &str) -> Option<Pii<String>> {
        if self.0.settings.after == 0 {
            return None;
        }
        let own = self.0.store.summary_of_conversation(conversation_id);
        let all = self.0.store.summaries_of(contact_id, MAX_GIVEN);
        let deadline = match way {
            Way::Text => TEXT_DEADLINE,
            Way::Call => CALL_DEADLINE,
        };
        match tokio::time::timeout(deadline, async { tokio::try_join!(own, all) }).await {
            Ok(Ok((own, all))) => together(own, all),
            Ok(Err(error)) => {
                tracing::warn!(error.code = error.code(), "a turn goes without the summary");
                None
            }
            Err(_) => {
                tracing::warn!("a turn goes without the summary, which came too late");
                None
            }
        }
    }
}

fn together(own: Option<SummaryRow>, all: Vec<SummaryRow>) -> Option<Pii<String>> {
    let is_other = |row: &SummaryRow| {
        !row.text.expose().is_empty() && own.as_ref().is_none_or(|own| own.conversation_id != row.conversation_id)
    };
    let others: Vec<_> = all.into_iter().filter(is_other).collect();
    let mut text = own.map(|own| own.text.into_inner()).unwrap_or_default();
    for other in others {
        let day = other.updated_at.to_zoned(TimeZone::UTC).date();
        let part = format!("[another conversation, {}, until {day}]\n{}", other.channel, other.text.expose());
        if text.len() + part.len() + 1 > MAX_BYTES {
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&part);
    }
    (!text.is_empty()).then(|| Pii::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(conversation: &str, text: &str) -> SummaryRow {
        SummaryRow {
            conversation_id: conversation.to_owned(),
            channel: "sms".to_owned(),
            text: Pii::new(text.to_owned()),
            upto: 1,
            made_by: "m".to_owned(),
            updated_at: "2026-11-28T12:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_conversation_itself_comes_first_and_once() {
        let given = |own, all| together(own, all).map(Pii::into_inner);
        assert_eq!(given(None, Vec::new()), None);
        assert_eq!(given(Some(row("a", "A.")), vec![row("a", "A.")]).as_deref(), Some("A."));
        let both = given(Some(row("a", "A.")), vec![row("b", "B."), row("a", "A.")]);
        assert_eq!(both.as_deref(), Some("A.\n[another conversation, sms, until 2026-11-28]\nB."));
        let long = "x".repeat(MAX_BYTES);
        assert_eq!(given(Some(row("a", "A.")), vec![row("b", &long)]).as_deref(), Some("A."));
    }
}
