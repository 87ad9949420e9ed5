//! Scenario files: what a person says, and what is expected of the answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use trunkline::config::parse_duration;

/// The longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 256 << 10;
/// Files of one run.
const MAX_FILES: usize = 1_000;
/// Steps of one scenario.
const MAX_STEPS: usize = 200;
/// How long an answer may take where a step does not say.
const WITHIN: Duration = Duration::from_secs(10);
/// How long nothing may come where nothing is expected.
const SILENCE: Duration = Duration::from_secs(2);
const MAX_WITHIN: Duration = Duration::from_mins(10);

/// How the person talks to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    Sms,
    Whatsapp,
    Voice,
}

/// One scenario.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) parts: Vec<Part>,
}

/// What one person says on one channel, without a break.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) channel: Channel,
    pub(super) steps: Vec<Step>,
}

/// Something that is said, and what is expected of it.
#[derive(Debug)]
pub(super) struct Step {
    /// Which one of the scenario, from 1.
    pub(super) number: usize,
    pub(super) say: String,
    pub(super) expect: Vec<Regex>,
    pub(super) reject: Vec<Regex>,
    pub(super) tools: Option<Vec<String>>,
    pub(super) state: Option<String>,
    pub(super) is_silent: bool,
    pub(super) within: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    #[serde(default = "sms")]
    channel: Channel,
    #[serde(default)]
    step: Vec<WrittenStep>,
}

const fn sms() -> Channel {
    Channel::Sms
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    say: String,
    channel: Option<Channel>,
    #[serde(default)]
    expect: OneOrMore,
    #[serde(default)]
    reject: OneOrMore,
    tools: Option<Vec<String>>,
    state: Option<String>,
    #[serde(default)]
    silent: bool,
    within: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum OneOrMore {
    #[default]
    None,
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn patterns(self) -> Result<Vec<Regex>, String> {
        let texts = match self {
            Self::None => Vec::new(),
            Self::One(text) => vec![text],
            Self::More(texts) => texts,
        };
        texts
            .iter()
            .map(|text| Regex::new(text).map_err(|error| format!("{text:?} is not a pattern: {error}")))
            .collect()
    }
}

/// The scenarios of files, and of all `*.toml` in folders, in the order of their paths. All problems together.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Scenario>, Vec<String>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => match of_folder(path) {
                Ok(found) if found.is_empty() => problems.push(format!("{}: no *.toml in this folder", path.display())),
                Ok(found) => files.extend(found),
                Err(error) => problems.push(format!("{}: cannot be read: {error}", path.display())),
            },
            Ok(_) => files.push(path.clone()),
            Err(error) => problems.push(format!("{}: cannot be read: {error}", path.display())),
        }
    }
    if files.len() > MAX_FILES {
        problems.push(format!("more than {MAX_FILES} files"));
        files.clear();
    }
    let mut scenarios = Vec::with_capacity(files.len());
    for file in files {
        match read(&file) {
            Ok(scenario) => scenarios.push(scenario),
            Err(problem) => problems.push(format!("{}: {problem}", file.display())),
        }
    }
    if problems.is_empty() { Ok(scenarios) } else { Err(problems) }
}

fn of_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(MAX_FILES + 1) {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<Scenario, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("has more than {MAX_FILE_BYTES} bytes"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    let written: Written = toml::from_str(&text).map_err(|error| error.to_string().trim().to_owned())?;
    if written.step.is_empty() || written.step.len() > MAX_STEPS {
        return Err(format!("has {} steps; 1 to {MAX_STEPS} are possible: [[step]]", written.step.len()));
    }
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut parts: Vec<Part> = Vec::new();
    for (place, one) in written.step.into_iter().enumerate() {
        let number = place + 1;
        let channel = one.channel.unwrap_or(written.channel);
        let read = step(number, one, channel).map_err(|problem| format!("step {number}: {problem}"))?;
        match parts.last_mut().filter(|part| part.channel == channel) {
            Some(part) => part.steps.push(read),
            None => parts.push(Part { channel, steps: vec![read] }),
        }
    }
    Ok(Scenario { name: written.name.unwrap_or(stem), file: file.to_owned(), parts })
}

fn step(number: usize, written: WrittenStep, channel: Channel) -> Result<Step, String> {
    let within = match &written.within {
        Some(text) => parse_duration(text)
            .filter(|within| *within <= MAX_WITHIN)
            .ok_or_else(|| format!("within: {text:?} is not a duration of at most 10m, such as 5s or 800ms"))?,
        None if written.silent => SILENCE,
        None => WITHIN,
    };
    if written.say.trim().is_empty() {
        return Err("say: is blank".to_owned());
    }
    let (expect, reject) = (written.expect.patterns()?, written.reject.patterns()?);
    if written.silent && !(expect.is_empty() && reject.is_empty()) {
        return Err("silent: nothing is said, so that expect and reject have nothing to look at".to_owned());
    }
    if channel == Channel::Voice && (written.silent || written.state.is_some()) {
        return Err("silent and state are for texts".to_owned());
    }
    Ok(Step {
        number,
        say: written.say,
        expect,
        reject,
        tools: written.tools,
        state: written.state,
        is_silent: written.silent,
        within,
    })
}

impl Step {
    /// What is wrong with an answer that came after `took`, and for which `tools` were called.
    pub(super) fn judge(&self, answer: &str, took: Duration, tools: &[String]) -> Vec<String> {
        let mut wrong = Vec::new();
        for pattern in self.expect.iter().filter(|pattern| !pattern.is_match(answer)) {
            wrong.push(format!("the answer {answer:?} does not match {:?}", pattern.as_str()));
        }
        for pattern in self.reject.iter().filter(|pattern| pattern.is_match(answer)) {
            wrong.push(format!("the answer {answer:?} matches {:?}", pattern.as_str()));
        }
        if took > self.within {
            wrong.push(format!("the answer took {} ms, not {}", took.as_millis(), self.within.as_millis()));
        }
        if let Some(wanted) = self.tools.as_ref().filter(|wanted| wanted.as_slice() != tools) {
            wrong.push(format!("the tools [{}] were called, not [{}]", tools.join(", "), wanted.join(", ")));
        }
        wrong.into_iter().map(|wrong| format!("step {}: {wrong}", self.number)).collect()
    }

    pub(super) fn wrong(&self, what: &str) -> String {
        format!("step {}: {what}", self.number)
    }
}
