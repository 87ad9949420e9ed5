//! STOP, START and HELP: heeded while a text is recorded, so that no agent ever reads them.
//!
//! A keyword is the whole message: blanks around it and the case of its letters do not count. What `YES` and `START` mean
//! depends on whether the person had opted out, which the store knows: otherwise they are words like any other.
//!
//! Source: Twilio's page on opt-out keywords (default handling).

use std::time::Duration;

use trunkline_core::event::MessageReceived;
use trunkline_core::{AddressError, Channel, Pii};
use trunkline_store::{HeardKeyword, Keyword, NewInbound, Recorded};

use super::ingress::inbound;
use super::relay::command;
use super::{Context, publish};
use crate::config::{KeywordReplies, KeywordSettings};

const STOP: &[&str] = &["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"];
const START: &[&str] = &["START", "YES", "UNSTOP"];
const HELP: &[&str] = &["HELP", "INFO"];

/// Who speaks when a keyword is confirmed.
const AUTHOR: &str = "keywords";
/// How long the provider may take to tell which address of ours a keyword was written to.
const SENDER_WAIT: Duration = Duration::from_secs(2);

/// A received message as the store takes it, with the keyword that it may be.
pub(super) async fn read(
    context: &Context,
    connector: &str,
    received: MessageReceived,
    traceparent: Option<String>,
) -> Result<NewInbound, AddressError> {
    let mut inbound = inbound(context, connector, received, traceparent)?;
    if !matches!(inbound.channel, Channel::Sms | Channel::Whatsapp) {
        return Ok(inbound);
    }
    let keyword = keyword(inbound.body.expose());
    // Which address of ours a text went to matters where somebody wants nothing from one of them.
    let matters = keyword.is_some() || context.store.has_ever_opted_out(&inbound.from.to_wire()).await.unwrap_or(true);
    if matters && inbound.to.is_none() {
        inbound.to = sender(context, connector, &inbound.conversation).await;
    }
    if let Some(keyword) = keyword {
        let confirmation = confirmation(&context.settings.keywords, keyword, inbound.channel);
        inbound.keyword =
            Some(HeardKeyword { keyword, confirmation: confirmation.map(Pii::new), author: AUTHOR.to_owned() });
    }
    Ok(inbound)
}

/// Sends what confirms a keyword. What cannot be published now is found by the relay's next sweep.
pub(super) async fn confirm(context: &Context, recorded: &Recorded) {
    let Some(outbox_id) = &recorded.confirmation else { return };
    send_row(context, outbox_id).await;
}

/// Has a committed row sent.
pub(crate) async fn send_row(context: &Context, outbox_id: &str) {
    let row = match context.store.outbox_row(outbox_id).await {
        Ok(row) => row,
        Err(error) => {
            tracing::warn!(error.code = error.code(), "a committed message waits for the store");
            return;
        }
    };
    if let Err(error) = publish(context, command(row)).await {
        tracing::warn!(error.code = error.code(), "a committed message waits for the bus");
    }
}

fn keyword(text: &str) -> Option<Keyword> {
    let word = text.trim();
    let is_one_of = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    [(Keyword::Stop, STOP), (Keyword::Start, START), (Keyword::Help, HELP)]
        .into_iter()
        .find_map(|(keyword, words)| is_one_of(words).then_some(keyword))
}

/// What is said to a keyword; nothing where Twilio says it.
fn confirmation(settings: &KeywordSettings, keyword: Keyword, channel: Channel) -> Option<String> {
    let is_ours = match settings.replies {
        KeywordReplies::Gateway => true,
        KeywordReplies::Twilio => false,
        KeywordReplies::Auto => channel != Channel::Sms,
    };
    let text = match keyword {
        Keyword::Stop => &settings.stop,
        Keyword::Start => &settings.start,
        Keyword::Help => &settings.help,
    };
    (is_ours && !text.is_empty()).then(|| text.clone())
}

/// The address of ours in a conversation; `None` if nobody can tell now.
async fn sender(context: &Context, connector: &str, conversation: &str) -> Option<String> {
    if let Ok(Some(known)) = context.store.conversation_by_external(connector, conversation).await
        && let Ok(Some(sender)) = context.store.sender_of(&known.id).await
    {
        return Some(sender);
    }
    let asked = context.connectors.named(connector)?.sender(conversation);
    match tokio::time::timeout(SENDER_WAIT, asked).await {
        Ok(Ok(sender)) => sender,
        Ok(Err(error)) => {
            tracing::warn!(error.code = error.code, "which address of ours a text went to cannot be told");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_the_whole_message() {
        let check = |text: &str, expected: Option<Keyword>| assert_eq!(keyword(text), expected, "{text:?}");
        for word in ["STOP", "stop", " StopAll\n", "Unsubscribe", "cancel", "END", "quit", "OPTOUT", "revoke"] {
            check(word, Some(Keyword::Stop));
        }
        for word in ["start", "Yes", "UNSTOP"] {
            check(word, Some(Keyword::Start));
        }
        for word in ["help", " info "] {
            check(word, Some(Keyword::Help));
        }
        for text in ["", "stop it", "STOP.", "please stop", "opt out", "yes please", "YES!"] {
            check(text, None);
        }
    }

    #[test]
    fn one_side_confirms() {
        let settings = |replies| KeywordSettings {
            replies,
            stop: "stopped".to_owned(),
            start: "started".to_owned(),
            help: String::new(),
        };
        let check = |replies, channel, expected: Option<&str>| {
            assert_eq!(confirmation(&settings(replies), Keyword::Stop, channel).as_deref(), expected);
        };
        check(KeywordReplies::Auto, Channel::Sms, None);
        check(KeywordReplies::Auto, Channel::Whatsapp, Some("stopped"));
        check(KeywordReplies::Gateway, Channel::Sms, Some("stopped"));
        check(KeywordReplies::Twilio, Channel::Whatsapp, None);
        assert_eq!(confirmation(&settings(KeywordReplies::Gateway), Keyword::Help, Channel::Sms), None);
    }
}
