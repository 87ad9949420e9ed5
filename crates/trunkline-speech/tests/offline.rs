//! Real sound: the voice speaks, a telephone line narrows it, the ear listens.

use std::time::Duration;

use trunkline_audio::{FRAME_SAMPLES, g711};
use trunkline_speech::offline::{Ear, OfflineRecognizer, OfflineSynthesizer, Voice};
use trunkline_speech::recognition::{RecognitionRequest, Recognizer as _, Transcript};
use trunkline_speech::synthesis::{SynthesisRequest, Synthesizer as _};
use trunkline_speech::{SpeechError, Vocabulary};

const SENTENCES: [&str; 5] = [
    "hello i would like to check my order",
    "four two seven one nine",
    "yes please",
    "cancel my appointment",
    "what time do you open",
];
const DEADLINE: Duration = Duration::from_secs(30);

/// What is left of audio after a telephone line.
fn over_the_line(audio: &[i16]) -> Vec<i16> {
    audio.iter().map(|sample| g711::decode(g711::encode(*sample))).collect()
}

#[tokio::test]
async fn what_the_voice_says_the_ear_understands() {
    let (voice, ear) = (Voice::find().expect("flite"), Ear::find().expect("pocketsphinx"));
    let vocabulary = Vocabulary::of(SENTENCES);
    for sentence in SENTENCES {
        let audio = over_the_line(&voice.speak(sentence).await.expect("spoken"));
        assert_eq!(ear.recognise(&audio, &vocabulary).await.expect("heard"), sentence);
    }
}

#[tokio::test]
async fn a_recognition_hears_one_utterance_after_the_other() {
    let synthesizer = OfflineSynthesizer::new(Voice::find().expect("flite"));
    let recognizer = OfflineRecognizer::new(Ear::find().expect("pocketsphinx"));
    let mut vocabulary = Vocabulary::of(["my name is <name>", "what is my name"]);
    vocabulary.list("name", ["Ada", "Grace", "Radiatrix"]);
    vocabulary.phrase("xyzzy is no word");
    let request = RecognitionRequest { vocabulary, ..RecognitionRequest::default() };
    let mut recognition = recognizer.open(request).await.expect("opened");
    for said in ["my name is Ada", "what is my name"] {
        let mut speech = synthesizer.speak(SynthesisRequest::new(said)).await.expect("spoken");
        let mut audio = vec![g711::SILENCE; 20 * FRAME_SAMPLES];
        while let Some(piece) = speech.next().await {
            audio.extend_from_slice(&piece.expect("audio"));
        }
        audio.extend(std::iter::repeat_n(g711::SILENCE, 50 * FRAME_SAMPLES));
        for frame in audio.chunks_exact(FRAME_SAMPLES) {
            recognition.write(frame.try_into().expect("a frame"));
        }
        let heard =
            tokio::time::timeout(DEADLINE, recognition.next()).await.expect("in time").expect("open").expect("words");
        let Transcript::Final { text, .. } = heard else { panic!("{heard:?}") };
        assert_eq!(text.expose(), said);
        let end =
            tokio::time::timeout(DEADLINE, recognition.next()).await.expect("in time").expect("open").expect("words");
        assert_eq!(end, Transcript::EndOfUtterance);
    }
    assert_eq!(recognition.dropped(), 0);
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused_and_one_without_words_is_silence() {
    let voice = Voice::find().expect("flite");
    let long = "word ".repeat(2_000);
    let refused = voice.speak(&long).await.expect_err("too long");
    assert!(matches!(refused, SpeechError::TooLong { .. }), "{refused}");
    assert!(voice.speak(" -- !").await.expect("silence").is_empty());
}

#[tokio::test]
async fn a_text_is_never_taken_for_an_option() {
    let voice = Voice::find().expect("flite");
    assert!(!voice.speak("--help me\nplease").await.expect("spoken").is_empty());
}
