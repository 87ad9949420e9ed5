//! `<Gather>`: keys or speech, while prompts are played.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use trunkline_audio::vad::{SpeechDetector, SpeechEvent, SpeechSettings};
use trunkline_audio::{FRAME_MS, FRAME_SAMPLES, g711};
use trunkline_proto::twiml::{Gather, GatherInput, SpeechTimeout};

use super::interpreter::{Flow, Interpreter};
use super::leg::{Leg, Stopped};
use super::plane::Heard;
use super::studio::phrases;
use crate::state::events::{Params, Target};

/// What somebody said or pressed.
enum Input {
    Digits(String),
    Speech(String),
    Nothing,
}

impl Interpreter<'_> {
    pub(super) async fn gather(&mut self, gather: &Gather) -> Result<Flow, Stopped> {
        let mut frames = self.leg.plane().listen(true, false);
        self.leg.plane().digits.clear();
        let mut last = None;
        for prompt in &gather.prompts {
            if let Some((sound, times)) = self.leg.unless_stopped(self.prompt(prompt)).await? {
                last = self.leg.plane().clips().push(sound, times).or(last);
            }
        }
        let method = gather.partial_result_callback_method;
        let partial = gather.partial_result_callback.as_deref().and_then(|url| self.target(Some(url), method));
        let partials = Partials { target: partial, language: language(gather), told: 0 };
        let input = self.leg.unless_stopped(listen(self.leg, gather, &mut frames, last, partials)).await?;
        self.leg.plane().clips().clear();
        let extra: Params = match input {
            Input::Digits(digits) => vec![("Digits", digits)],
            Input::Speech(text) => {
                vec![("SpeechResult", text), ("Confidence", CONFIDENCE.to_owned()), ("Language", language(gather))]
            }
            Input::Nothing if gather.action_on_empty_result == Some(true) => vec![("Digits", String::new())],
            Input::Nothing => return Ok(Flow::Next),
        };
        Ok(self.action(gather.action.as_deref(), gather.method, extra))
    }
}

fn language(gather: &Gather) -> String {
    gather.language.clone().unwrap_or_else(|| "en-US".to_owned())
}

/// Whoever is told of words while they are spoken.
struct Partials {
    target: Option<Target>,
    language: String,
    told: u32,
}

impl Partials {
    /// Tells the words so far; `is_stable`: they do not change any more.
    fn tell(&mut self, leg: &Leg, words: &str, is_stable: bool) {
        let Some(target) = self.target.clone().filter(|_| !words.is_empty() && self.told < MAX_PARTIALS) else {
            return;
        };
        let mut params = leg.params();
        let (stable, unstable) = if is_stable { (words, "") } else { ("", words) };
        params.push(("SequenceNumber", self.told.to_string()));
        params.push(("StableSpeechResult", stable.to_owned()));
        params.push(("UnstableSpeechResult", unstable.to_owned()));
        params.push(("Stability", if is_stable { "1.0" } else { "0.5" }.to_owned()));
        params.push(("Language", self.language.clone()));
        self.told = self.told.saturating_add(1);
        leg.callbacks.tell(target, params);
    }

    /// Tells, now and then, what is known of words that are being spoken: a script's are, and grow by the word.
    fn tell_so_far(&mut self, leg: &Leg, spoken_ms: u64) {
        if self.target.is_none() || spoken_ms == 0 || !spoken_ms.is_multiple_of(PARTIAL_EVERY_MS) {
            return;
        }
        let known = leg.plane().texts.front().cloned().unwrap_or_default();
        let count = usize::try_from(spoken_ms / MS_PER_WORD).unwrap_or(usize::MAX);
        let words: Vec<_> = known.split_whitespace().take(count).collect();
        self.tell(leg, &words.join(" "), false);
    }
}

async fn listen(
    leg: &Leg,
    gather: &Gather,
    frames: &mut tokio::sync::mpsc::Receiver<Heard>,
    last_prompt: Option<u64>,
    mut partials: Partials,
) -> Input {
    let input = gather.input.unwrap_or(GatherInput::Dtmf);
    let (takes_keys, takes_speech) = (input != GatherInput::Speech, input != GatherInput::Dtmf);
    let timeout = Duration::from_secs(u64::from(gather.timeout.unwrap_or(TIMEOUT_S)));
    let finish = gather.finish_on_key.clone().unwrap_or_else(|| "#".to_owned());
    let hangover_ms = match gather.speech_timeout {
        Some(SpeechTimeout::After(seconds)) => u64::from(seconds).saturating_mul(1000),
        Some(SpeechTimeout::Auto) | None => AUTO_SILENCE_MS,
    };
    let mut detector =
        SpeechDetector::new(SpeechSettings { hangover_ms: hangover_ms.max(200), ..SpeechSettings::default() });
    let max_speech = u64::from(gather.max_speech_time.unwrap_or(MAX_SPEECH_S)).saturating_mul(1000);
    let (mut now_ms, mut begun_ms) = (0_u64, None::<u64>);
    let (mut digits, mut audio) = (String::new(), Vec::new());
    let mut deadline = last_prompt.is_none().then(|| later(timeout));
    leg.plane().texts.clear();
    loop {
        let heard = tokio::select! {
            heard = frames.recv() => heard,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() && begun_ms.is_none() => {
                return if digits.is_empty() { Input::Nothing } else { Input::Digits(digits) };
            }
        };
        match heard {
            None => return Input::Nothing,
            Some(Heard::Digit(key)) if takes_keys => {
                leg.plane().clips().clear();
                if finish.contains(key) {
                    return Input::Digits(digits);
                }
                digits.push(key);
                let enough = gather.num_digits.is_some_and(|count| digits.len() >= count as usize);
                if enough || digits.len() >= MAX_DIGITS {
                    return Input::Digits(digits);
                }
                deadline = Some(later(timeout));
            }
            Some(Heard::Inbound(frame, _)) => {
                let prompts_over = last_prompt.is_none_or(|last| {
                    let mut plane = leg.plane();
                    plane.clips().has_finished(last) || plane.clips().is_empty()
                });
                if prompts_over && deadline.is_none() {
                    deadline = Some(later(timeout));
                }
                let may_speak = takes_speech && digits.is_empty() && (prompts_over || gather.barge_in != Some(false));
                if !may_speak {
                    continue;
                }
                let mut samples = [0_i16; FRAME_SAMPLES];
                g711::decode_into(&frame, &mut samples);
                let event = detector.push(now_ms, &samples);
                now_ms = now_ms.saturating_add(FRAME_MS);
                if begun_ms.is_none() && audio.len() > PREROLL_BYTES {
                    audio.drain(..FRAME_SAMPLES);
                }
                audio.extend_from_slice(&frame);
                if let Some(SpeechEvent::Started { at_ms }) = event {
                    begun_ms.get_or_insert(at_ms);
                    leg.plane().clips().clear();
                }
                if let Some(begun) = begun_ms {
                    partials.tell_so_far(leg, now_ms.saturating_sub(begun));
                }
                let ended = matches!(event, Some(SpeechEvent::Ended { .. }));
                if begun_ms.is_some_and(|begun| ended || now_ms.saturating_sub(begun) >= max_speech) {
                    let text = words(leg, &audio, gather.hints.as_deref()).await;
                    if !text.is_empty() {
                        partials.tell(leg, &text, true);
                        return Input::Speech(text);
                    }
                    begun_ms = None;
                    audio.clear();
                    deadline = Some(later(timeout));
                }
            }
            Some(_) => {}
        }
    }
}

/// What was said: by the ear among the hints, or without hints as the phone's script has it.
pub(super) async fn words(leg: &Leg, audio: &[u8], hints: Option<&str>) -> String {
    let phrases = phrases(hints);
    let said: Vec<String> = leg.plane().texts.drain(..).collect();
    if phrases.is_empty() {
        return said.join(" ");
    }
    match leg.net.studio().understand(audio, &phrases).await {
        Ok(text) => text,
        Err(problem) => {
            leg.note(13520, 1, &problem.to_string()).await;
            String::new()
        }
    }
}

fn later(duration: Duration) -> Instant {
    Instant::now().checked_add(duration).unwrap_or_else(Instant::now)
}

/// How often words that are being spoken are told of.
const PARTIAL_EVERY_MS: u64 = 500;
/// How long a word takes.
const MS_PER_WORD: u64 = 350;
/// How often words of one `<Gather>` are told of.
const MAX_PARTIALS: u32 = 200;
/// Seconds without input, by default.
const TIMEOUT_S: u32 = 5;
/// Seconds of speech, by default.
const MAX_SPEECH_S: u32 = 60;
/// Silence that ends speech unless the document says otherwise.
const AUTO_SILENCE_MS: u64 = 800;
/// Keys of one answer.
const MAX_DIGITS: usize = 1000;
/// What is kept of the time before speech: 300 ms.
const PREROLL_BYTES: usize = 2400;
/// The ear says no more than yes or no.
const CONFIDENCE: &str = "0.9";
