//! `trunkline call`: a person who calls, from a script, and what came of it as a timeline.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::run::runtime;
use super::{CallArgs, failed, print};

/// How often the call is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest script that is read, in bytes.
const MAX_SCRIPT_BYTES: u64 = 1 << 20;
/// The largest sound that a script may play, in bytes.
const MAX_SOUND_BYTES: u64 = 8 << 20;

pub(super) fn run(args: &CallArgs) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(call(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason),
    }
}

async fn call(args: &CallArgs) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))?;
    let base = args.emulator.trim_end_matches('/');
    let mut script = match &args.script {
        Some(path) => read(path)?,
        None => json!({ "steps": spoken(&args.say) }),
    };
    let Some(fields) = script.as_object_mut() else { return Err("the script is not a table".to_owned()) };
    for (name, value) in [("from", &args.from), ("to", &args.to)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), json!(value));
        }
    }
    if !fields.contains_key("from") {
        fields.insert("from".to_owned(), json!("+15550001111"));
    }
    if !fields.contains_key("to") {
        let account = get(&client, &format!("{base}/emulator/v1/account"), base).await?;
        fields.insert("to".to_owned(), account.get("phone_number").cloned().unwrap_or_default());
    }
    let placed = post(&client, base, &script).await?;
    let sid =
        placed.get("sid").and_then(Value::as_str).ok_or_else(|| format!("{base} does not answer like an emulator"))?;
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    loop {
        let call = get(&client, &format!("{base}/emulator/v1/calls/{sid}"), base).await?;
        if let Some(result) = call.get("result").filter(|result| !result.is_null()) {
            if args.json {
                print(&call.to_string());
            } else {
                timeline(&call, result);
            }
            let failure = result.get("failed").and_then(Value::as_str).map(str::to_owned).or_else(|| unheard(result));
            return failure.map_or(Ok(()), |failure| Err(format!("the script was not fulfilled: {failure}")));
        }
        if Instant::now() >= deadline {
            return Err(format!("the call was not over within {} s; raise --timeout", args.timeout));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The first step that heard nothing of what it expects.
fn unheard(result: &Value) -> Option<String> {
    let lines = result.get("transcript").and_then(Value::as_array)?;
    let line = lines.iter().find(|line| line.get("matched").and_then(Value::as_bool) == Some(false))?;
    Some(format!("step {}: none of the phrases that it expects was heard", line.get("step").unwrap_or(&Value::Null)))
}

/// Without a script: wait for the greeting, say each text, wait for each answer.
fn spoken(texts: &[String]) -> Vec<Value> {
    let mut steps = vec![json!({ "wait_for_speech": {} })];
    for text in texts {
        steps.push(json!({ "say": text }));
        steps.push(json!({ "wait_for_speech": {} }));
    }
    steps.push(json!({ "hang_up": true }));
    steps
}

/// Reads a script: TOML with `[[step]]`, or the emulator's own JSON.
fn read(path: &Path) -> Result<Value, String> {
    let name = path.display();
    let text = bounded(path, MAX_SCRIPT_BYTES)?;
    let text = String::from_utf8(text).map_err(|_| format!("{name} is not text"))?;
    if path.extension().is_some_and(|extension| extension == "json") {
        let script: Value = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        for (at, step) in script.get("steps").and_then(Value::as_array).into_iter().flatten().enumerate() {
            check(step).map_err(|wrong| format!("{name}: step {}: {wrong}", at + 1))?;
        }
        return Ok(script);
    }
    let mut script: Map<String, Value> = toml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    let steps = script.remove("step").or_else(|| script.remove("steps")).unwrap_or_else(|| json!([]));
    let Value::Array(mut steps) = steps else { return Err(format!("{name}: step must be a list: [[step]]")) };
    for (at, step) in steps.iter_mut().enumerate() {
        check(step).map_err(|wrong| format!("{name}: step {}: {wrong}", at + 1))?;
        let Some(sound) = step.get_mut("play") else { continue };
        let file = sound.as_str().ok_or_else(|| format!("{name}: step {}: play must name a WAV file", at + 1))?;
        let file = path.parent().unwrap_or_else(|| Path::new(".")).join(file);
        *sound = Value::String(STANDARD.encode(bounded(&file, MAX_SOUND_BYTES)?));
    }
    script.insert("steps".to_owned(), Value::Array(steps));
    Ok(Value::Object(script))
}

/// What each step may have: its name, and the fields of those that are tables.
const STEPS: [(&str, &[&str]); 8] = [
    ("say", &[]),
    ("play", &[]),
    ("wait_for_speech", &["timeout_ms", "expect", "end_silence_ms"]),
    ("talk_over", &["after_ms", "say"]),
    ("digits", &[]),
    ("pause_ms", &[]),
    ("hang_up", &[]),
    ("wait_for_hang_up", &["timeout_ms"]),
];

/// A step is one that the emulator knows, or what is wrong with it; that it has the right values is the emulator's to say.
fn check(step: &Value) -> Result<(), String> {
    let names = || STEPS.map(|(name, _)| name).join(", ");
    let Some(step) = step.as_object() else { return Err(format!("must be a table with one of {}", names())) };
    if step.len() > 1 {
        return Err("does more than one thing; make a step of each".to_owned());
    }
    let Some((name, value)) = step.iter().next() else { return Err(format!("is empty; it does one of {}", names())) };
    let Some((_, fields)) = STEPS.iter().find(|(known, _)| known == name) else {
        return Err(format!("there is no step called {name}; there are {}", names()));
    };
    let Some(value) = value.as_object() else {
        return if fields.is_empty() { Ok(()) } else { Err(format!("{name} must be a table: {name} = {{}}")) };
    };
    match value.keys().find(|key| !fields.contains(&key.as_str())) {
        Some(key) if fields.is_empty() => Err(format!("{name} is no table, and has no {key}")),
        Some(key) => Err(format!("{name} has no {key}; it has {}", fields.join(", "))),
        None => Ok(()),
    }
}

fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > limit {
        return Err(format!("{} is larger than {limit} bytes", path.display()));
    }
    std::fs::read(path).map_err(unreadable)
}

async fn post(client: &reqwest::Client, base: &str, script: &Value) -> Result<Value, String> {
    let request = client.post(format!("{base}/emulator/v1/calls")).json(script);
    answered(request.send().await.map_err(|_| unreachable(base))?, base).await
}

async fn get(client: &reqwest::Client, url: &str, base: &str) -> Result<Value, String> {
    answered(client.get(url).send().await.map_err(|_| unreachable(base))?, base).await
}

async fn answered(response: reqwest::Response, base: &str) -> Result<Value, String> {
    let status = response.status();
    let body: Value = response.json().await.map_err(|_| format!("{base} does not answer like an emulator"))?;
    if status.is_success() {
        return Ok(body);
    }
    let reason = body.get("message").and_then(Value::as_str).unwrap_or("no reason given");
    Err(format!("the emulator refused the call with status {}: {reason}", status.as_u16()))
}

fn unreachable(base: &str) -> String {
    format!("no emulator answers at {base}; start `trunkline up`, or name one with --emulator")
}

/// What was said when, one line each.
fn timeline(call: &Value, result: &Value) {
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    for line in result.get("transcript").and_then(Value::as_array).into_iter().flatten() {
        let (start, end) = (number(line, "start_ms").unwrap_or(0), number(line, "end_ms").unwrap_or(0));
        let said = line.get("text").and_then(Value::as_str);
        let said = said.map_or_else(|| format!("({} ms of speech)", end.saturating_sub(start)), str::to_owned);
        print(&format!("{:>8.2} s  {:<7} {said}", seconds(start), text(line, "who")));
    }
    let timings = result.get("timings").cloned().unwrap_or_default();
    let list = |key: &str| {
        let values = timings.get(key).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(Value::as_u64).map(|ms| format!("{ms} ms")).collect::<Vec<_>>().join(", ")
    };
    print("");
    let duration = number(call, "duration").unwrap_or(0);
    print(&format!("{} after {duration} s, hung up by {}", text(call, "status"), text(result, "hung_up_by")));
    for (key, what) in [("gaps_ms", "end of speech to answer"), ("clear_ms", "talking over to silence")] {
        let values = list(key);
        if !values.is_empty() {
            print(&format!("{what}: {values}"));
        }
    }
    let recording = text(result, "recording_url");
    if !recording.is_empty() {
        print(&format!("recording: {recording}.wav"));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a call does not last for ages")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_heard_nothing_it_expects_is_named() {
        let said = |matched: Value| json!({"transcript": [{"who": "agent", "step": 3, "matched": matched}]});
        assert_eq!(unheard(&said(json!(true))), None);
        assert_eq!(unheard(&said(Value::Null)), None);
        let named = "step 3: none of the phrases that it expects was heard";
        assert_eq!(unheard(&said(json!(false))).as_deref(), Some(named));
    }

    #[test]
    fn a_script_is_read_with_its_sounds() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hello.wav"), b"RIFF").unwrap();
        let path = folder.path().join("call.toml");
        std::fs::write(&path, "record = true\n[[step]]\nsay = \"hi\"\n[[step]]\nplay = \"hello.wav\"\n[[step]]\nwait_for_speech = { timeout_ms = 5000 }\n").unwrap();
        let script = read(&path).unwrap();
        assert_eq!(
            script["steps"],
            json!([{"say": "hi"}, {"play": "UklGRg=="}, {"wait_for_speech": {"timeout_ms": 5000}}])
        );
        std::fs::write(&path, "[[step]]\nplay = \"missing.wav\"\n").unwrap();
        assert!(read(&path).unwrap_err().contains("missing.wav cannot be read"));
        std::fs::write(&path, "[[step]\n").unwrap();
        assert!(read(&path).unwrap_err().contains("call.toml: "));
    }

    #[test]
    fn a_step_that_is_misspelt_is_named() {
        let refused = |step: Value| check(&step).unwrap_err();
        assert!(
            refused(json!({ "wait_for_speach": {} })).starts_with("there is no step called wait_for_speach; there are")
        );
        assert_eq!(
            refused(json!({ "talk_over": { "after": 800, "say": "no" } })),
            "talk_over has no after; it has after_ms, say"
        );
        assert_eq!(
            refused(json!({ "wait_for_hang_up": 5 })),
            "wait_for_hang_up must be a table: wait_for_hang_up = {}"
        );
        assert!(refused(json!({ "say": "a", "digits": "1" })).contains("more than one thing"));
        assert!(refused(json!("say")).starts_with("must be a table"));
        for step in spoken(&["hello".to_owned()]) {
            assert_eq!(check(&step), Ok(()), "{step}");
        }
    }

    #[test]
    fn a_script_that_cannot_be_played_names_its_file_and_the_step() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("script.toml", "[[step]]\nsay = \"hello\"\n\n[[step]]\nwait_for_speach = {}\n"),
            ("script.json", r#"{"steps": [{"say": "hello"}, {"wait_for_speach": {}}]}"#),
        ] {
            let path = folder.path().join(file);
            std::fs::write(&path, text).unwrap();
            let refused = read(&path).unwrap_err();
            assert!(refused.contains(&format!("{file}: step 2: there is no step called wait_for_speach")), "{refused}");
        }
    }
}
