//! A document as XML.

use super::attribute::Attributes;
use super::{
    Connect, ConnectTarget, ConversationRelay, Dial, DialTarget, Gather, Message, Number, Parameter, Prompt, Response,
    Say, Speech, Start, StartTarget, Stop, StopTarget, Stream, Verb,
};

pub(super) fn document(response: &Response) -> String {
    let mut xml = Xml(DECLARATION.to_owned());
    xml.element("Response", &[], |xml| response.verbs.iter().for_each(|verb| xml.verb(verb)));
    xml.0
}

/// XML in the making.
struct Xml(String);

type Set<'a> = [(&'static str, std::borrow::Cow<'a, str>)];

impl Xml {
    /// An element; without content it is closed at once.
    fn element(&mut self, name: &str, attributes: &Set<'_>, content: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            self.0.push(' ');
            self.0.push_str(attribute);
            self.0.push_str("=\"");
            escape_into(&mut self.0, value);
            self.0.push('"');
        }
        let open = self.0.len();
        self.0.push('>');
        content(self);
        if self.0.len() == open.saturating_add(1) {
            self.0.truncate(open);
            self.0.push_str("/>");
            return;
        }
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    fn empty(&mut self, name: &str, of: &impl Attributes) {
        self.element(name, &of.set(), |_| ());
    }

    fn text(&mut self, name: &str, of: &impl Attributes, text: &str) {
        self.element(name, &of.set(), |xml| escape_into(&mut xml.0, text));
    }

    fn bare(&mut self, name: &str, text: &str) {
        self.element(name, &[], |xml| escape_into(&mut xml.0, text));
    }

    fn verb(&mut self, verb: &Verb) {
        match verb {
            Verb::Say(say) => self.say(say),
            Verb::Play(play) => self.text("Play", play, &play.url),
            Verb::Pause(pause) => self.empty("Pause", pause),
            Verb::Gather(gather) => self.gather(gather),
            Verb::Dial(dial) => self.dial(dial),
            Verb::Record(record) => self.empty("Record", record),
            Verb::Redirect(redirect) => self.text("Redirect", redirect, &redirect.url),
            Verb::Reject(reject) => self.empty("Reject", reject),
            Verb::Hangup => self.bare("Hangup", ""),
            Verb::Connect(connect) => self.connect(connect),
            Verb::Start(start) => self.start(start),
            Verb::Stop(stop) => self.stop(stop),
            Verb::Message(message) => self.message(message),
        }
    }

    fn say(&mut self, say: &Say) {
        self.element("Say", &say.set(), |xml| xml.speech(&say.speech));
    }

    fn speech(&mut self, speech: &Speech) {
        match speech.markup() {
            // It was read as XML and written from there.
            Some(markup) => self.0.push_str(markup),
            None => escape_into(&mut self.0, speech.plain()),
        }
    }

    fn gather(&mut self, gather: &Gather) {
        self.element("Gather", &gather.set(), |xml| {
            for prompt in &gather.prompts {
                match prompt {
                    Prompt::Say(say) => xml.say(say),
                    Prompt::Play(play) => xml.text("Play", play, &play.url),
                    Prompt::Pause(pause) => xml.empty("Pause", pause),
                }
            }
        });
    }

    fn dial(&mut self, dial: &Dial) {
        self.element("Dial", &dial.set(), |xml| {
            for target in &dial.targets {
                match target {
                    DialTarget::Number(number) => xml.number(number),
                    DialTarget::Client(name) => xml.bare("Client", name),
                    DialTarget::Sip(address) => xml.bare("Sip", address),
                    DialTarget::Conference(name) => xml.bare("Conference", name),
                    DialTarget::Queue(name) => xml.bare("Queue", name),
                }
            }
        });
    }

    fn number(&mut self, number: &Number) {
        self.text("Number", number, &number.number);
    }

    fn connect(&mut self, connect: &Connect) {
        self.element("Connect", &connect.set(), |xml| match &connect.target {
            ConnectTarget::Stream(stream) => xml.stream(stream),
            ConnectTarget::ConversationRelay(relay) => xml.relay(relay),
        });
    }

    fn start(&mut self, start: &Start) {
        self.element("Start", &start.set(), |xml| match &start.target {
            StartTarget::Stream(stream) => xml.stream(stream),
            StartTarget::Transcription(transcription) => xml.empty("Transcription", transcription),
        });
    }

    fn stop(&mut self, stop: &Stop) {
        let (element, name) = match &stop.target {
            StopTarget::Stream(name) => ("Stream", name),
            StopTarget::Transcription(name) => ("Transcription", name),
        };
        let name: Vec<_> = name.iter().map(|name| ("name", name.as_str().into())).collect();
        self.element("Stop", &[], |xml| xml.element(element, &name, |_| ()));
    }

    fn stream(&mut self, stream: &Stream) {
        self.element("Stream", &stream.set(), |xml| xml.parameters(&stream.parameters));
    }

    fn relay(&mut self, relay: &ConversationRelay) {
        self.element("ConversationRelay", &relay.set(), |xml| {
            relay.languages.iter().for_each(|language| xml.empty("Language", language));
            xml.parameters(&relay.parameters);
        });
    }

    fn parameters(&mut self, parameters: &[Parameter]) {
        for parameter in parameters {
            self.empty("Parameter", parameter);
        }
    }

    fn message(&mut self, message: &Message) {
        self.element("Message", &message.set(), |xml| {
            if !message.body.is_empty() {
                xml.bare("Body", &message.body);
            }
            message.media.iter().for_each(|url| xml.bare("Media", url));
        });
    }
}

/// Writes a text so that it is read back as it is, in content and in attributes alike.
pub(super) fn escape_into(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // As they are, a reader makes spaces or nothing of them.
            '\t' => xml.push_str("&#9;"),
            '\n' => xml.push_str("&#10;"),
            '\r' => xml.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push(char::REPLACEMENT_CHARACTER),
            other => xml.push(other),
        }
    }
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
