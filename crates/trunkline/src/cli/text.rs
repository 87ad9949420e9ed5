//! `trunkline text`: a person with a telephone, for scripts.

use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use trunkline_core::{Channel, ContactAddress};

use super::run::runtime;
use super::{TextArgs, failed, print};

/// How often the phone is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// After an answer, another one that belongs to it comes within this time.
const QUIET: Duration = Duration::from_millis(400);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Sent {
    message_sid: String,
}

#[derive(Deserialize)]
struct Phone {
    messages: Vec<Value>,
}

pub(super) fn run(args: &TextArgs) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(text(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason),
    }
}

async fn text(args: &TextArgs) -> Result<(), String> {
    let is_whatsapp = args.channel == "whatsapp" || args.from.starts_with("whatsapp:");
    let number = args.from.trim_start_matches("whatsapp:").to_owned();
    if !ContactAddress::parse(&number).is_ok_and(|address| address.channel() == Channel::Sms) {
        return Err("--from: must be a telephone number with + and country code, such as +15550001111".to_owned());
    }
    let channel = if is_whatsapp { "whatsapp" } else { "sms" };
    let client = reqwest::Client::builder()
        .timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))?;
    let base = args.emulator.trim_end_matches('/');
    let sent = send(&client, base, args, &number, channel).await?;
    let address = if is_whatsapp { format!("whatsapp:{number}") } else { number.clone() };
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let mut told = 0;
    let mut last_answer = None;
    loop {
        let answers = answers(&client, base, &address, &sent)
            .await
            .map_err(|reason| format!("the text was sent, and no answer can be read any more: {reason}"))?;
        for answer in answers.iter().skip(told) {
            let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
            print(&if args.json { answer.to_string() } else { body.to_owned() });
            last_answer = Some(Instant::now());
        }
        told = told.max(answers.len());
        if last_answer.is_some_and(|at: Instant| at.elapsed() >= QUIET) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let waited = args.timeout;
            return if told > 0 {
                Ok(())
            } else {
                Err(format!("no answer within {waited} s; is a gateway connected?"))
            };
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn send(
    client: &reqwest::Client,
    base: &str,
    args: &TextArgs,
    from: &str,
    channel: &str,
) -> Result<String, String> {
    let mut message = json!({ "from": from, "body": args.body, "channel": channel });
    if let (Some(to), Some(message)) = (&args.to, message.as_object_mut()) {
        message.insert("to".to_owned(), json!(to));
    }
    let request = client.post(format!("{base}/emulator/v1/messages")).json(&message);
    let response = request.send().await.map_err(|_| unreachable(base))?;
    let status = response.status();
    if !status.is_success() {
        let problem: Value = response.json().await.unwrap_or_default();
        let reason = problem.get("message").and_then(Value::as_str).unwrap_or("no reason given");
        return Err(format!("the emulator refused the text with status {}: {reason}", status.as_u16()));
    }
    let sent: Sent = response.json().await.map_err(|_| format!("{base} does not answer like an emulator"))?;
    Ok(sent.message_sid)
}

/// What the phone has received since it sent `sent`.
async fn answers(client: &reqwest::Client, base: &str, address: &str, sent: &str) -> Result<Vec<Value>, String> {
    let mut url = url::Url::parse(base).map_err(|_| format!("{base} is not a URL"))?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["emulator", "v1", "phones", address, "messages"]);
    }
    let response = client.get(url).send().await.map_err(|_| unreachable(base))?;
    let phone: Phone = response.json().await.map_err(|_| format!("{base} does not answer like an emulator"))?;
    let is = |message: &Value, key: &str, wanted: &str| message.get(key).and_then(Value::as_str) == Some(wanted);
    let behind = phone
        .messages
        .into_iter()
        .skip_while(|message| !(is(message, "direction", "sent") && is(message, "message_sid", sent)));
    Ok(behind.filter(|message| is(message, "direction", "received")).collect())
}

fn unreachable(base: &str) -> String {
    format!("no emulator answers at {base}; start `trunkline up`, or name one with --emulator")
}
