//! STOP, START and HELP: who says them to a number gets Twilio's own answer, and after STOP nothing else any more.
//!
//! Source: Twilio's page on opt-out keywords. Only SMS has them.

use super::super::address::Address;
use super::super::delivery::Delivery;
use super::super::{Key, State, segments};
use super::record::{ChannelMessage, MessageDirection, MessageStatus};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Stop,
    Start,
    Help,
}

impl Keyword {
    fn of(body: &str) -> Option<Self> {
        let word = body.trim().to_ascii_uppercase();
        let groups = [(Self::Stop, STOP), (Self::Start, START), (Self::Help, HELP)];
        groups.into_iter().find(|(_, words)| words.contains(&word.as_str())).map(|(keyword, _)| keyword)
    }
}

impl State {
    /// Whether a person wants nothing from one of the account's addresses.
    pub(in crate::state) fn has_opted_out(&self, person: &str, own: &str) -> bool {
        self.rules.keywords && self.messaging.opted_out.contains(&(person.to_owned(), own.to_owned()))
    }

    /// Does what a keyword asks for.
    pub(in crate::state) fn heed_keyword(&mut self, from: &Address, to: &Address, body: &str) {
        let is_sms = matches!(from, Address::Sms(_));
        let Some(keyword) = Keyword::of(body).filter(|_| is_sms && self.rules.keywords) else { return };
        let pair = (from.to_string(), to.to_string());
        let key = Key::OptOut(pair.clone());
        let answer = match keyword {
            Keyword::Stop if self.messaging.opted_out.insert(pair) => STOPPED,
            Keyword::Start if self.messaging.opted_out.remove(&pair_of(from, to)) => STARTED,
            Keyword::Help => HELPED,
            Keyword::Stop | Keyword::Start => return,
        };
        self.effects.dirty.insert(key);
        self.answer_keyword(from, to, answer);
    }

    fn answer_keyword(&mut self, from: &Address, to: &Address, text: &str) {
        let now = self.now();
        let message = ChannelMessage {
            sid: self.channel_message_sid(false),
            position: self.position(),
            direction: MessageDirection::OutboundReply,
            from: to.to_string(),
            to: from.to_string(),
            messaging_service_sid: None,
            body: Some(text.to_owned()),
            media: Vec::new(),
            content_sid: None,
            segments: segments::count(text),
            status: MessageStatus::Queued,
            error_code: None,
            status_callback: None,
            send_at: None,
            valid_until: None,
            feedback: None,
            is_service_text: true,
            date_created: now,
            date_updated: now,
            date_sent: None,
        };
        let position = message.position;
        self.insert_channel_message(message);
        self.effects.deliveries.push(Delivery::Send(position));
    }
}

fn pair_of(from: &Address, to: &Address) -> (String, String) {
    (from.to_string(), to.to_string())
}

const STOP: &[&str] = &["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
const START: &[&str] = &["START", "YES", "UNSTOP"];
const HELP: &[&str] = &["HELP", "INFO"];
const STOPPED: &str = "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe.";
const STARTED: &str = "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply.";
const HELPED: &str = "Reply STOP to unsubscribe. Msg&Data Rates May Apply.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_stands_alone() {
        let check = |body: &str, expect: Option<Keyword>| assert_eq!(Keyword::of(body), expect, "{body}");
        check("Stop", Some(Keyword::Stop));
        check(" UNSUBSCRIBE\n", Some(Keyword::Stop));
        check("yes", Some(Keyword::Start));
        check("info", Some(Keyword::Help));
        check("stop it", None);
        check("cancel my appointment", None);
        check("", None);
    }
}
