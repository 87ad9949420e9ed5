//! What may be said to a person now: nothing to whoever wants nothing, and on WhatsApp only a template when they have been
//! silent for too long.

use jiff::{SignedDuration, Timestamp};
use trunkline_core::{Channel, Pii};
use trunkline_store::{Consent, Content, StoreError};

use super::{Context, codes};
use crate::config::Template;
use crate::connectors::ConnectorError;

/// WhatsApp takes this many characters in one place of a template.
const MAX_VALUE_CHARS: usize = 1024;
/// Twilio refuses the message because the person has opted out.
pub(crate) const OPTED_OUT_AT_TWILIO: u32 = 21610;
/// Twilio refuses the message because the person has been silent for too long.
pub(crate) const WINDOW_CLOSED_AT_TWILIO: u32 = 63016;

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It may be sent.
    Open,
    /// It may be sent as this template.
    AsTemplate(Content),
    /// It may not, by this code.
    Refused(&'static str),
}

/// What is to be sent, as far as the rules look at it.
pub(crate) struct Outgoing<'a> {
    /// Our name for the conversation.
    pub(crate) conversation_id: &'a str,
    /// Its channel.
    pub(crate) channel: &'a str,
    /// The text.
    pub(crate) text: &'a str,
    /// It is a template already.
    pub(crate) is_template: bool,
    /// It confirms a keyword, which is the last that somebody who has opted out hears.
    pub(crate) is_confirmation: bool,
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Connector(#[from] ConnectorError),
}

/// Looks at the rules of a message's channel.
///
/// # Cancel safety
/// Cancel-safe.
pub(crate) async fn gate(context: &Context, connector: &str, outgoing: &Outgoing<'_>) -> Result<Gate, GateError> {
    let Ok(channel) = outgoing.channel.parse() else { return Ok(Gate::Open) };
    if !matches!(channel, Channel::Sms | Channel::Whatsapp) {
        return Ok(Gate::Open);
    }
    let consent = consent(context, connector, outgoing.conversation_id).await?;
    if consent != Consent::Given && !outgoing.is_confirmation {
        return Ok(Gate::Refused(codes::OPTED_OUT));
    }
    let settings = &context.settings.whatsapp;
    if channel != Channel::Whatsapp || outgoing.is_template || settings.window.is_zero() {
        return Ok(Gate::Open);
    }
    let window = SignedDuration::try_from(settings.window).unwrap_or(SignedDuration::MAX);
    let heard = context.store.last_heard(outgoing.conversation_id).await?;
    if heard.is_some_and(|at| Timestamp::now().duration_since(at) <= window) {
        return Ok(Gate::Open);
    }
    Ok(match &settings.template {
        Some(template) => Gate::AsTemplate(filled(template, outgoing.text)),
        None => Gate::Refused(codes::WINDOW_CLOSED),
    })
}

/// Whether the person may be written to. Where it depends on which address of ours they write to, the connector tells.
async fn consent(context: &Context, connector: &str, conversation_id: &str) -> Result<Consent, GateError> {
    let known = context.store.consent(conversation_id).await?;
    let (Consent::Unclear, Some(connector)) = (known, context.connectors.named(connector)) else { return Ok(known) };
    let Some(row) = context.store.conversation(conversation_id).await? else { return Ok(known) };
    let Some(sender) = connector.sender(&row.external_id).await? else { return Ok(known) };
    context.store.set_sender(conversation_id, &sender).await?;
    Ok(context.store.consent(conversation_id).await?)
}

/// A template that says a text. WhatsApp takes no line breaks in a place, and no rows of blanks.
pub(crate) fn filled(template: &Template, text: &str) -> Content {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let place = |value: &String| value.replace("{text}", &line).chars().take(MAX_VALUE_CHARS).collect::<String>();
    let variables = template.variables.iter().map(|(name, value)| (name.clone(), place(value))).collect();
    Content { sid: template.sid.clone(), variables: Pii::new(variables) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_the_text_in_one_line() {
        let template = Template {
            sid: "HX1".to_owned(),
            variables: [("1".to_owned(), "We said: {text}".to_owned()), ("2".to_owned(), "plain".to_owned())].into(),
        };
        let content = filled(&template, "a\n b\t\tc ");
        assert_eq!(content.variables.expose()["1"], "We said: a b c");
        assert_eq!(content.variables.expose()["2"], "plain");
        let long = filled(&template, &"x".repeat(3000));
        assert_eq!(long.variables.expose()["1"].chars().count(), MAX_VALUE_CHARS);
    }
}
