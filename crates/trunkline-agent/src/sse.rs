//! Server-sent events as a value: bytes in, events out. No socket, no clock.
//!
//! Source: WHATWG HTML, section 9.2.6, *Interpreting an event stream*. `id` and `retry` are for streams that reconnect,
//! which answers do not, and are passed over.

use crate::AgentError;

/// A line, or the data of an event, may have this many bytes.
const MAX_EVENT_BYTES: usize = 64 << 10;
/// A mark that may stand before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its type; `message` if it has none.
    pub(crate) kind: String,
    /// Its data, lines joined by `\n`.
    pub(crate) data: String,
}

/// What was read and is not an event yet.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    has_begun: bool,
    /// The last byte was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
    kind: String,
    data: String,
}

impl Parser {
    /// Takes a piece, cut anywhere; adds the events that it completes to `events`.
    pub(crate) fn take(&mut self, piece: &[u8], events: &mut impl Extend<Event>) -> Result<(), AgentError> {
        for &byte in piece {
            let belongs_to_return = self.after_return && byte == b'\n';
            self.after_return = byte == b'\r';
            if belongs_to_return {
                continue;
            }
            if matches!(byte, b'\r' | b'\n') {
                let line = std::mem::take(&mut self.line);
                events.extend(self.end_of_line(&line)?);
            } else if self.line.len() < MAX_EVENT_BYTES {
                self.line.push(byte);
            } else {
                return Err(AgentError::ReplyTooLong { limit: MAX_EVENT_BYTES });
            }
        }
        Ok(())
    }

    fn end_of_line(&mut self, line: &[u8]) -> Result<Option<Event>, AgentError> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let line = if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if self.data.len() + value.len() >= MAX_EVENT_BYTES {
                    return Err(AgentError::ReplyTooLong { limit: MAX_EVENT_BYTES });
                }
                self.data.push_str(value);
                self.data.push('\n');
            }
            // A comment (nothing before the colon), or a field that means nothing here.
            _ => {}
        }
        Ok(None)
    }

    /// An empty line: the event is complete. One without data is none.
    fn dispatch(&mut self) -> Option<Event> {
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        data.pop()?;
        Some(Event { kind: if kind.is_empty() { "message".to_owned() } else { kind }, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.take(piece, &mut events).expect("within the limits");
        }
        events.into_iter().map(|event| (event.kind, event.data)).collect()
    }

    fn event(kind: &str, data: &str) -> (String, String) {
        (kind.to_owned(), data.to_owned())
    }

    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(parse(&[b"data: YHOO\ndata: +2\ndata: 10\n\n"]), [event("message", "YHOO\n+2\n10")]);
        let stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        let expected =
            [event("message", "first event"), event("message", "second event"), event("message", " third event")];
        assert_eq!(parse(&[stream]), expected);
        // The last block is thrown away: no empty line follows.
        assert_eq!(parse(&[b"data\n\ndata\ndata\n\ndata:"]), [event("message", ""), event("message", "\n")]);
        assert_eq!(parse(&[b"data:test\n\ndata: test\n\n"]), [event("message", "test"), event("message", "test")]);
    }

    #[test]
    fn lines_end_in_three_ways_and_pieces_anywhere() {
        let stream = "\u{feff}event: text\r\ndata: {\"é\":1}\r\n\r\nevent: done\rdata: {}\r\rdata: a\n\n".as_bytes();
        let expected = [event("text", "{\"é\":1}"), event("done", "{}"), event("message", "a")];
        assert_eq!(parse(&[stream]), expected);
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(parse(&[head, tail]), expected, "cut at {cut}");
        }
        assert_eq!(parse(&stream.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn an_event_without_data_is_none_and_its_type_is_forgotten() {
        assert_eq!(parse(&[b"event: done\n\ndata: 1\n\n"]), [event("message", "1")]);
    }

    #[test]
    fn nothing_grows_without_end() {
        let long = vec![b'x'; MAX_EVENT_BYTES + 1];
        let error = Parser::default().take(&long, &mut Vec::new()).expect_err("too long");
        assert_eq!(error.code(), "agent.reply_too_long");
        let lines = b"data: 0123456789\n".repeat(MAX_EVENT_BYTES / 10);
        let error = Parser::default().take(&lines, &mut Vec::new()).expect_err("too long");
        assert_eq!(error.code(), "agent.reply_too_long");
    }
}
