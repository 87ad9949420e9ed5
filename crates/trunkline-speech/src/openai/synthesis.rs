//! The voice: linear sound at 24 kHz comes as it is made, and leaves as telephone sound.

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::Client;
use serde::Serialize;
use trunkline_audio::resample::Resampler;
use trunkline_audio::{SAMPLE_RATE, g711};

use super::{NAME, OpenAiConfig};
use crate::SpeechError;
use crate::provider::http;
use crate::synthesis::{Speech, SynthesisRequest, Synthesizer};

/// The rate of `pcm`, in Hz: 16 bits, little-endian, one channel.
const PCM_RATE: u32 = 24_000;

/// The server as a [`Synthesizer`].
#[derive(Debug, Clone)]
pub struct OpenAiSynthesizer {
    config: OpenAiConfig,
    client: Client,
    model: String,
    voice: String,
}

impl OpenAiSynthesizer {
    /// Speaks with `model` and `voice`. Clones share their connections.
    ///
    /// # Errors
    /// `speech.config` if this machine offers no TLS.
    pub fn new(config: OpenAiConfig, model: impl Into<String>, voice: impl Into<String>) -> Result<Self, SpeechError> {
        let client = http::client(&config.endpoint, config.timeouts)?;
        Ok(Self { config, client, model: model.into(), voice: voice.into() })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    voice: &'a str,
    input: &'a str,
    response_format: &'static str,
}

#[async_trait]
impl Synthesizer for OpenAiSynthesizer {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn speak(&self, request: SynthesisRequest) -> Result<Speech, SpeechError> {
        request.check()?;
        if !request.has_words() {
            return Ok(Speech::ready(Bytes::new()));
        }
        let Self { config, client, model, voice } = self;
        let body = Body { model, voice, input: request.text.expose(), response_format: "pcm" };
        let url = config.endpoint.http(&["audio", "speech"]);
        let mut narrow = Narrow::new()?;
        let request = http::identified(client.post(url).json(&body), &config.endpoint);
        let begun = async {
            let answer = http::send(NAME, config.timeouts, request).await?;
            http::speech(NAME, config.timeouts, answer, move |piece| narrow.take(piece)).await
        };
        http::in_time(NAME, config.timeouts, begun).await
    }
}

/// Makes telephone sound of pieces of any size.
struct Narrow {
    resampler: Resampler,
    /// The first byte of a sample whose second is in the next piece.
    half: Option<u8>,
    wide: Vec<i16>,
    made: Vec<i16>,
}

impl Narrow {
    fn new() -> Result<Self, SpeechError> {
        let resampler =
            Resampler::new(PCM_RATE, SAMPLE_RATE).map_err(|error| SpeechError::Config(error.to_string()))?;
        Ok(Self { resampler, half: None, wide: Vec::new(), made: Vec::new() })
    }

    /// μ-law of a piece, or of what is left at the end.
    fn take(&mut self, piece: Option<Bytes>) -> Bytes {
        self.wide.clear();
        self.made.clear();
        let Some(piece) = piece else {
            self.resampler.finish(&mut self.made);
            return self.encoded();
        };
        for byte in piece {
            match self.half.take() {
                None => self.half = Some(byte),
                Some(low) => self.wide.push(i16::from_le_bytes([low, byte])),
            }
        }
        self.resampler.process(&self.wide, &mut self.made);
        self.encoded()
    }

    fn encoded(&self) -> Bytes {
        self.made.iter().map(|sample| g711::encode(*sample)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_does_not_depend_on_where_it_is_cut() {
        let tone = |at: u32| (f64::from(at) * 0.08).sin() * 9_000.0;
        #[expect(clippy::cast_possible_truncation, reason = "a tone within the range")]
        let pcm: Vec<u8> = (0..24_000).flat_map(|at| (tone(at) as i16).to_le_bytes()).collect();
        let cut = |size: usize| {
            let mut narrow = Narrow::new().expect("rates");
            let mut out = Vec::new();
            for piece in pcm.chunks(size) {
                out.extend_from_slice(&narrow.take(Some(Bytes::copy_from_slice(piece))));
            }
            out.extend_from_slice(&narrow.take(None));
            out
        };
        let whole = cut(pcm.len());
        assert_eq!(whole.len(), 8_000);
        assert!(whole == cut(1) && whole == cut(777));
    }
}
