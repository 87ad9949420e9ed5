//! Requests are those of OpenAI's reference for *Create speech*.

use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::routing::post;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use trunkline_audio::resample::Resampler;
use trunkline_audio::{g711, level};
use trunkline_speech::openai::{OpenAiConfig, OpenAiSynthesizer};
use trunkline_speech::synthesis::{SynthesisRequest, Synthesizer as _};
use trunkline_speech::{SpeechError, Timeouts};

use crate::{all_of, hasty, server, spoken, within};

async fn speak(base: &str, key: &str, timeouts: Timeouts) -> Result<Vec<u8>, SpeechError> {
    let config = OpenAiConfig::new(&format!("{base}/v1"), &key.into()).expect("settings").with_timeouts(timeouts);
    let synthesizer = OpenAiSynthesizer::new(config, "gpt-4o-mini-tts", "alloy").expect("a client");
    let speech = within(synthesizer.speak(SynthesisRequest::new("Good morning."))).await;
    match speech {
        Ok(speech) => all_of(speech).await,
        Err(error) => Err(error),
    }
}

fn linear(audio: &[u8]) -> Vec<i16> {
    audio.iter().map(|code| g711::decode(*code)).collect()
}

#[tokio::test]
async fn wide_sound_comes_out_as_telephone_sound() {
    let audio = spoken("good morning").await;
    let mut wide = Vec::new();
    let mut widen = Resampler::new(8_000, 24_000).expect("rates");
    widen.process(&linear(&audio), &mut wide);
    widen.finish(&mut wide);
    let pcm: Vec<u8> = wide.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let (seen, mut asked) = mpsc::channel(2);
    let router = Router::new().route(
        "/v1/audio/speech",
        post(move |headers: HeaderMap, axum::Json(body): axum::Json<Value>| async move {
            seen.send((headers.get("authorization").cloned(), body)).await.expect("taken");
            // Pieces end within samples.
            let pieces: Vec<_> = pcm.chunks(1_001).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
            Body::from_stream(stream::iter(pieces))
        }),
    );
    let base = server::requests(router).await;
    let heard = speak(&base, "sk-secret", Timeouts::default()).await.expect("sound");
    assert_eq!(heard.len(), audio.len());
    // The filters take a little from the edge of the band; the sound itself is where it was.
    let difference: Vec<_> =
        linear(&heard).iter().zip(linear(&audio)).map(|(heard, said)| heard.saturating_sub(said)).collect();
    let (loud, wrong) = (level::rms_dbfs(&linear(&audio)), level::rms_dbfs(&difference));
    assert!(loud - wrong > 15.0, "{loud} dBFS of speech, {wrong} dBFS of difference");
    let (key, body) = within(asked.recv()).await.expect("a request");
    assert_eq!(key.expect("a key"), "Bearer sk-secret");
    assert_eq!(
        body,
        json!({ "model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning.", "response_format": "pcm" })
    );
    speak(&base, "", Timeouts::default()).await.expect("a server of one's own wants no key");
    assert!(within(asked.recv()).await.expect("a request").0.is_none());
}

#[tokio::test]
async fn what_goes_wrong_has_its_code() {
    for (status, code) in [(401, "speech.refused"), (429, "speech.unavailable"), (500, "speech.unavailable")] {
        let error =
            speak(&server::refusing(status).await, "sk-secret", Timeouts::default()).await.expect_err("refused");
        assert_eq!(error.code(), code, "{status}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let late = speak(&server::silent().await, "sk-secret", hasty()).await.expect_err("late");
    assert_eq!(late.code(), "speech.timeout");
    let cut = server::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nabcd").await;
    assert_eq!(speak(&cut, "sk-secret", Timeouts::default()).await.expect_err("cut").code(), "speech.ended");
}
