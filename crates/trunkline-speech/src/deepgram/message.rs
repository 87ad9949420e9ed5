//! What Deepgram says.

use serde::Deserialize;
use trunkline_core::Pii;

use crate::recognition::Transcript;

/// A message of the stream. What is not known, or needs nothing, is [`Message::Other`].
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Message {
    Results(Results),
    UtteranceEnd,
    Error,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub(super) struct Results {
    channel: Channel,
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    speech_final: bool,
    #[serde(default)]
    from_finalize: bool,
}

#[derive(Deserialize)]
struct Channel {
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    transcript: String,
    confidence: Option<f32>,
}

/// An utterance under way.
#[derive(Default)]
pub(super) struct Utterance {
    /// Whether words came that no end has followed yet.
    is_open: bool,
}

impl Utterance {
    /// What a message means: words, an end, both or neither.
    ///
    /// The end comes once, by the silence (`speech_final`), or else by the gap between words (`UtteranceEnd`).
    pub(super) fn take(&mut self, message: Message) -> [Option<Transcript>; 2] {
        match message {
            Message::Results(results) => {
                let ends = results.speech_final || results.from_finalize;
                let best = results.channel.alternatives.into_iter().next();
                let words = best.filter(|best| !best.transcript.trim().is_empty()).map(|best| {
                    self.is_open |= results.is_final;
                    let text = Pii::new(best.transcript);
                    if results.is_final {
                        Transcript::Final { text, confidence: best.confidence.map(|sure| sure.clamp(0.0, 1.0)) }
                    } else {
                        Transcript::Partial(text)
                    }
                });
                [words, if ends { self.end() } else { None }]
            }
            Message::UtteranceEnd => [self.end(), None],
            Message::Error | Message::Other => [None, None],
        }
    }

    fn end(&mut self) -> Option<Transcript> {
        std::mem::take(&mut self.is_open).then_some(Transcript::EndOfUtterance)
    }
}
