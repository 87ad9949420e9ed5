//! A document from XML.

use roxmltree::{Document, Node, NodeType, ParsingOptions};

use super::attribute::Attributes;
use super::write::escape_into;
use super::{
    Connect, ConnectTarget, ConversationRelay, Dial, DialTarget, Gather, MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ELEMENTS,
    MAX_WARNINGS, Message, Number, Parsed, Prompt, Redirect, Response, Say, Speech, Start, StartTarget, Stop,
    StopTarget, Stream, TwimlError, Verb, Warning, WarningKind,
};

pub(super) fn document(body: &[u8]) -> Result<Parsed, TwimlError> {
    let document = read(body)?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return Err(TwimlError::NotTwiml);
    }
    check_size(root)?;
    let mut reader = Reader { warnings: Vec::new() };
    let verbs = elements(root).map(|node| reader.verb(node)).collect::<Result<_, _>>()?;
    Ok(Parsed { response: Response { verbs }, warnings: reader.warnings })
}

/// Words with markup.
pub(super) fn ssml(markup: &str) -> Result<Speech, TwimlError> {
    let wrapped = format!("<speak>{markup}</speak>");
    let document = read(wrapped.as_bytes())?;
    let root = document.root_element();
    check_size(root)?;
    Ok(speech(root))
}

fn read(body: &[u8]) -> Result<Document<'_>, TwimlError> {
    if body.len() > MAX_DOCUMENT_BYTES {
        return Err(TwimlError::TooLong);
    }
    let text = str::from_utf8(body).map_err(|_| TwimlError::NotXml { line: 1, column: 1 })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text.trim_start(), options).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => TwimlError::TooManyVerbs,
        other => TwimlError::NotXml { line: other.pos().row, column: other.pos().col },
    })
}

fn check_size(root: Node<'_, '_>) -> Result<(), TwimlError> {
    let mut count = 0_usize;
    for node in root.descendants().filter(Node::is_element) {
        count = count.saturating_add(1);
        if node.ancestors().take(MAX_DEPTH.saturating_add(2)).count() > MAX_DEPTH.saturating_add(1) {
            return Err(TwimlError::TooDeep);
        }
    }
    if count > MAX_ELEMENTS { Err(TwimlError::TooManyVerbs) } else { Ok(()) }
}

struct Reader {
    warnings: Vec<Warning>,
}

impl Reader {
    fn verb(&mut self, node: Node<'_, '_>) -> Result<Verb, TwimlError> {
        Ok(match node.tag_name().name() {
            "Say" => Verb::Say(self.say(node)),
            "Play" => Verb::Play(self.play(node)?),
            "Pause" => Verb::Pause(self.attributes(node, "Pause")),
            "Gather" => Verb::Gather(self.gather(node)?),
            "Dial" => Verb::Dial(self.dial(node)?),
            "Record" => Verb::Record(self.attributes(node, "Record")),
            "Redirect" => {
                let redirect = self.attributes(node, "Redirect");
                Verb::Redirect(Redirect { url: text(node), ..redirect })
            }
            "Reject" => Verb::Reject(self.attributes(node, "Reject")),
            "Hangup" => Verb::Hangup,
            "Connect" => Verb::Connect(self.connect(node)?),
            "Start" => Verb::Start(self.start(node)?),
            "Stop" => Verb::Stop(stop(node)?),
            "Message" => Verb::Message(self.message(node)?),
            _ => return Err(unknown(node, "Response")),
        })
    }

    fn say(&mut self, node: Node<'_, '_>) -> Say {
        let say: Say = self.attributes(node, "Say");
        Say { speech: speech(node), ..say }
    }

    fn play(&mut self, node: Node<'_, '_>) -> Result<super::Play, TwimlError> {
        let play: super::Play = self.attributes(node, "Play");
        let url = text(node);
        if url.is_empty() && play.digits.is_none() {
            return Err(missing(node, "Play", "a URL"));
        }
        Ok(super::Play { url, ..play })
    }

    fn gather(&mut self, node: Node<'_, '_>) -> Result<Gather, TwimlError> {
        let mut gather: Gather = self.attributes(node, "Gather");
        for child in elements(node) {
            gather.prompts.push(match child.tag_name().name() {
                "Say" => Prompt::Say(self.say(child)),
                "Play" => Prompt::Play(self.play(child)?),
                "Pause" => Prompt::Pause(self.attributes(child, "Pause")),
                _ => return Err(unknown(child, "Gather")),
            });
        }
        Ok(gather)
    }

    fn dial(&mut self, node: Node<'_, '_>) -> Result<Dial, TwimlError> {
        let mut dial: Dial = self.attributes(node, "Dial");
        for child in elements(node) {
            dial.targets.push(match child.tag_name().name() {
                "Number" => {
                    let number: Number = self.attributes(child, "Number");
                    DialTarget::Number(Number { number: text(child), ..number })
                }
                "Client" => DialTarget::Client(text(child)),
                "Sip" => DialTarget::Sip(text(child)),
                "Conference" => DialTarget::Conference(text(child)),
                "Queue" => DialTarget::Queue(text(child)),
                _ => return Err(unknown(child, "Dial")),
            });
        }
        let bare = text(node);
        if dial.targets.is_empty() && !bare.is_empty() {
            dial.targets.push(DialTarget::Number(Number { number: bare, ..Number::default() }));
        }
        if dial.targets.is_empty() { Err(missing(node, "Dial", "somebody to call")) } else { Ok(dial) }
    }

    fn connect(&mut self, node: Node<'_, '_>) -> Result<Connect, TwimlError> {
        let connect: Connect = self.attributes(node, "Connect");
        let child = elements(node).next().ok_or_else(|| missing(node, "Connect", "what to connect to"))?;
        let target = match child.tag_name().name() {
            "Stream" => ConnectTarget::Stream(self.stream(child)?),
            "ConversationRelay" => ConnectTarget::ConversationRelay(Box::new(self.relay(child)?)),
            _ => return Err(unknown(child, "Connect")),
        };
        Ok(Connect { target, ..connect })
    }

    fn start(&mut self, node: Node<'_, '_>) -> Result<Start, TwimlError> {
        let start: Start = self.attributes(node, "Start");
        let child = elements(node).next().ok_or_else(|| missing(node, "Start", "what to start"))?;
        let target = match child.tag_name().name() {
            "Stream" => StartTarget::Stream(self.stream(child)?),
            "Transcription" => StartTarget::Transcription(self.attributes(child, "Transcription")),
            _ => return Err(unknown(child, "Start")),
        };
        Ok(Start { target, ..start })
    }

    fn stream(&mut self, node: Node<'_, '_>) -> Result<Stream, TwimlError> {
        let mut stream: Stream = self.attributes(node, "Stream");
        for child in elements(node) {
            match child.tag_name().name() {
                "Parameter" => stream.parameters.push(self.attributes(child, "Parameter")),
                _ => return Err(unknown(child, "Stream")),
            }
        }
        Ok(stream)
    }

    fn relay(&mut self, node: Node<'_, '_>) -> Result<ConversationRelay, TwimlError> {
        let mut relay: ConversationRelay = self.attributes(node, RELAY);
        for child in elements(node) {
            match child.tag_name().name() {
                "Parameter" => relay.parameters.push(self.attributes(child, "Parameter")),
                "Language" => relay.languages.push(self.attributes(child, "Language")),
                _ => return Err(unknown(child, RELAY)),
            }
        }
        Ok(relay)
    }

    fn message(&mut self, node: Node<'_, '_>) -> Result<Message, TwimlError> {
        let mut message: Message = self.attributes(node, "Message");
        message.body = text(node);
        for child in elements(node) {
            match child.tag_name().name() {
                "Body" => message.body = text(child),
                "Media" => message.media.push(text(child)),
                _ => return Err(unknown(child, "Message")),
            }
        }
        Ok(message)
    }

    /// The attributes of an element; what it does not have becomes a warning.
    fn attributes<A: Attributes>(&mut self, node: Node<'_, '_>, element: &'static str) -> A {
        let mut set = A::default();
        for attribute in node.attributes() {
            // Twilio's own SDKs write some names of this element in lower case.
            let any_case = element == RELAY;
            let same = |known: &&&str| {
                **known == attribute.name() || (any_case && known.eq_ignore_ascii_case(attribute.name()))
            };
            let kind = match A::NAMES.iter().find(same) {
                Some(name) if set.take(name, attribute.value()) => continue,
                Some(name) => WarningKind::BadValue(name),
                None => WarningKind::UnknownAttribute,
            };
            if self.warnings.len() < MAX_WARNINGS {
                self.warnings.push(Warning { kind, element, line: line(node) });
            }
        }
        set
    }
}

fn stop(node: Node<'_, '_>) -> Result<Stop, TwimlError> {
    let child = elements(node).next().ok_or_else(|| missing(node, "Stop", "what to stop"))?;
    let name = child.attribute("name").map(str::to_owned);
    let target = match child.tag_name().name() {
        "Stream" => StopTarget::Stream(name),
        "Transcription" => StopTarget::Transcription(name),
        _ => return Err(unknown(child, "Stop")),
    };
    Ok(Stop { target })
}

fn speech(node: Node<'_, '_>) -> Speech {
    let words: String = node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    let markup = node.children().any(|child| child.is_element()).then(|| {
        let mut markup = String::new();
        node.children().for_each(|child| copy(child, &mut markup));
        markup
    });
    Speech::of_parts(&words, markup)
}

/// Writes a node again. The depth was checked.
fn copy(node: Node<'_, '_>, markup: &mut String) {
    match node.node_type() {
        NodeType::Text => escape_into(markup, node.text().unwrap_or_default()),
        NodeType::Element => {
            let name = node.tag_name().name();
            markup.push('<');
            markup.push_str(name);
            for attribute in node.attributes() {
                match attribute.namespace() {
                    None => markup.push(' '),
                    Some(roxmltree::NS_XML_URI) => markup.push_str(" xml:"),
                    // SSML has no other, and their prefix would not be declared here.
                    Some(_) => continue,
                }
                markup.push_str(attribute.name());
                markup.push_str("=\"");
                escape_into(markup, attribute.value());
                markup.push('"');
            }
            markup.push('>');
            node.children().for_each(|child| copy(child, markup));
            markup.push_str("</");
            markup.push_str(name);
            markup.push('>');
        }
        NodeType::Root | NodeType::PI | NodeType::Comment => {}
    }
}

fn elements<'a, 'input: 'a>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// The text directly inside an element.
fn text(node: Node<'_, '_>) -> String {
    let whole: String = node.children().filter(Node::is_text).filter_map(|node| node.text()).collect();
    whole.trim().to_owned()
}

fn unknown(node: Node<'_, '_>, inside: &'static str) -> TwimlError {
    TwimlError::UnknownElement { inside, line: line(node) }
}

fn missing(node: Node<'_, '_>, element: &'static str, what: &'static str) -> TwimlError {
    TwimlError::Missing { element, what, line: line(node) }
}

fn line(node: Node<'_, '_>) -> u32 {
    node.document().text_pos_at(node.range().start).row
}

const RELAY: &str = "ConversationRelay";
/// Nodes of all kinds: elements, texts, comments.
const MAX_NODES: u32 = 8000;
