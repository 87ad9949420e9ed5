//! `trunkline check`: does what people write, and who calls, come here?

use std::time::Duration;

use reqwest::redirect;
use serde_json::Value;
use trunkline::config::TwilioSettings;
use trunkline::edge::{CHECK_PATH, MESSAGES_PATH};
use trunkline_proto::calls::IncomingPhoneNumber;
use trunkline_proto::rest::{AddressConfiguration, AutoCreation, WebhookConfiguration};
use trunkline_proto::webhook::EventType;
use trunkline_twilio::rest::RestError;
use trunkline_twilio::rest::calls::CALLS_API_VERSION;
use trunkline_twilio::{HANDLED_EVENTS, TwilioMessaging};
use url::{Host, Url};

use super::check::Report;
use super::say;

/// The paths that `TWILIO_WEBHOOK_URL` may have behind the public base.
const WEBHOOK_PATHS: [&str; 2] = ["/webhooks/twilio", "/webhooks/twilio/conversations/events"];
/// How long the public address may take to answer.
const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// Address configurations that are looked through.
const MAX_ADDRESSES: usize = 1_000;

/// Looks at every place that decides where texts and calls go, and says what to mend.
pub(super) async fn check(settings: &TwilioSettings, backend: &TwilioMessaging, report: &mut Report) {
    match settings.backend.text("webhook_url") {
        None => report.wrong("TWILIO_WEBHOOK_URL is not set: Twilio does not know where to send what people write"),
        Some(wanted) => {
            let is_twilio = settings.backend.text("base_url").is_none();
            public_address(wanted, &settings.edge.public_base, is_twilio, report).await;
            match backend.rest().fetch_webhooks().await {
                Ok(present) => conversations(&present, wanted, report),
                Err(error) => report.wrong(&format!("the webhook configuration cannot be read: {}", why(&error))),
            }
        }
    }
    if let Some(number) = &settings.phone_number {
        match of_number(settings, backend, number).await {
            Ok((found, address)) => texts(settings, found.as_ref(), address.as_ref(), report),
            Err(error) => report.wrong(&format!("where texts to our number go cannot be read: {}", why(&error))),
        }
    }
}

fn why(error: &RestError) -> String {
    format!("{error} ({})", error.code())
}

/// Whether the gateway, and nothing else, is at the address that Twilio is given.
async fn public_address(wanted: &str, base: &str, is_twilio: bool, report: &mut Report) {
    let Ok(url) = Url::parse(wanted) else { return report.wrong("TWILIO_WEBHOOK_URL is not a URL") };
    if !WEBHOOK_PATHS.iter().any(|path| url.path().ends_with(path)) {
        return report
            .wrong("TWILIO_WEBHOOK_URL does not end with /webhooks/twilio: the gateway has no other address for them");
    }
    if is_twilio && is_private(&url) {
        return report.wrong(
            "TWILIO_WEBHOOK_URL is an address of this machine or its network: Twilio cannot reach it. Use a public name \
             that a proxy or a tunnel passes on to here",
        );
    }
    if is_twilio && url.scheme() != "https" {
        say("note: TWILIO_WEBHOOK_URL is not https: what people write crosses the network in the open");
    }
    let client = reqwest::Client::builder().timeout(PROBE_PATIENCE).redirect(redirect::Policy::none()).build();
    let Ok(client) = client else { return report.wrong("there is no usable TLS to try TWILIO_WEBHOOK_URL with") };
    let Ok(answer) = client.get(format!("{}{CHECK_PATH}", base.trim_end_matches('/'))).send().await else {
        return report.open(
            "nobody answers at TWILIO_WEBHOOK_URL now. When `trunkline serve` runs, see that the proxy or tunnel \
             passes it on to the gateway's address",
        );
    };
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    if status.is_success() && body.get("gateway").and_then(Value::as_str) == Some("trunkline") {
        Report::good("the gateway answers at TWILIO_WEBHOOK_URL");
    } else if status.is_redirection() {
        report.wrong(&format!(
            "TWILIO_WEBHOOK_URL redirects (status {}): Twilio's signature would be for another address. Give the one that \
             it leads to",
            status.as_u16()
        ));
    } else {
        report.wrong(&format!(
            "something else than the gateway answers at TWILIO_WEBHOOK_URL (status {}): see that the proxy or tunnel passes \
             all of /webhooks/ on, with nothing in front that asks for a password",
            status.as_u16()
        ));
    }
}

fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local(),
        Some(Host::Domain(name)) => name == "localhost" || name.rsplit('.').next() == Some("local"),
        None => true,
    }
}

/// Where webhooks of Conversations go.
fn conversations(present: &WebhookConfiguration, wanted: &str, report: &mut Report) {
    let there = present.post_webhook_url.as_deref().unwrap_or_default();
    if there.is_empty() {
        return say(
            "note: no webhook is registered yet; `trunkline serve` registers TWILIO_WEBHOOK_URL when it starts",
        );
    }
    if there != wanted {
        let host = Url::parse(there).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        return report.wrong(&format!(
            "Twilio's webhooks go elsewhere, to {host}; `trunkline serve` takes them over when it starts. A gateway that \
             runs there hears nothing any more then"
        ));
    }
    let method = present.method.as_deref().unwrap_or_default();
    let asked = present.filters.as_deref().unwrap_or_default();
    let missing: Vec<_> =
        HANDLED_EVENTS.iter().map(EventType::as_str).filter(|event| !asked.iter().any(|name| name == event)).collect();
    if !method.eq_ignore_ascii_case("POST") {
        report.wrong(&format!("Twilio sends its webhooks by {method}; `trunkline serve` sets POST when it starts"));
    } else if missing.is_empty() {
        Report::good("Twilio sends its webhooks to TWILIO_WEBHOOK_URL");
    } else {
        report.wrong(&format!(
            "Twilio does not send {}; `trunkline serve` asks for them when it starts",
            missing.join(", ")
        ));
    }
    if present.pre_webhook_url.as_deref().is_some_and(|url| !url.is_empty() && !url.starts_with(wanted)) {
        say(
            "note: another program is asked before messages are taken (the pre-webhook), and may change or reject them",
        );
    }
}

/// Our number, and what happens to texts that come to it.
async fn of_number(
    settings: &TwilioSettings,
    backend: &TwilioMessaging,
    number: &str,
) -> Result<(Option<IncomingPhoneNumber>, Option<AddressConfiguration>), RestError> {
    let rest = backend.rest();
    let account = settings.account_sid.parse().map_err(|_| RestError::BadArgument("the account"))?;
    let found = rest.calls(account, CALLS_API_VERSION).find_number(number).await?;
    let listed = rest.list_addresses(MAX_ADDRESSES).await?;
    Ok((found, listed.items.into_iter().find(|one| one.address == number)))
}

fn texts(
    settings: &TwilioSettings,
    number: Option<&IncomingPhoneNumber>,
    address: Option<&AddressConfiguration>,
    report: &mut Report,
) {
    let Some(number) = number else {
        return report.wrong("TWILIO_PHONE_NUMBER is not a number of this account; choose one of its own");
    };
    let ours = format!("{}{MESSAGES_PATH}", settings.edge.public_base.trim_end_matches('/'));
    let is_pointed = number.sms_url.as_deref() == Some(ours.as_str());
    let creation = address.and_then(|address| address.auto_creation.as_ref()).filter(|creation| creation.enabled);
    match creation {
        Some(_) if is_pointed => report.wrong(
            "texts to TWILIO_PHONE_NUMBER come twice: the number has an address configuration, and its own webhook for \
             messages points here. Take one of them away (docs/numbers.md)",
        ),
        Some(creation) => opened(settings, creation, report),
        None if is_pointed && number.sms_application_sid.is_some() => report.wrong(
            "texts to TWILIO_PHONE_NUMBER go to an application of Twilio's instead of its webhook; take the application \
             away from the number",
        ),
        None if is_pointed => Report::good("texts to TWILIO_PHONE_NUMBER come here, without Conversations"),
        None if settings.messaging.registers => {
            say("note: `trunkline serve` points texts to TWILIO_PHONE_NUMBER here when it starts");
        }
        None => report.wrong(
            "texts to TWILIO_PHONE_NUMBER open no conversation. Make an address configuration for it, with auto-creation \
             (console: Conversations, Addresses; or POST /v1/Configuration/Addresses with Type=sms, Address, \
             AutoCreation.Enabled=true), or do without Conversations: TRUNKLINE_REGISTER_MESSAGING=true (docs/numbers.md)",
        ),
    }
}

/// Whether the conversations that texts open are those that the gateway hears of.
fn opened(settings: &TwilioSettings, creation: &AutoCreation, report: &mut Report) {
    let service = settings.backend.text("chat_service_sid");
    let theirs = creation.conversation_service_sid.map(|sid| sid.as_str().to_owned());
    match (service, theirs) {
        (Some(service), Some(theirs)) if theirs != service => report.wrong(&format!(
            "texts to TWILIO_PHONE_NUMBER open conversations of another service, {theirs}: set TWILIO_CHAT_SERVICE_SID to \
             it, or change the address configuration"
        )),
        _ => {
            Report::good("texts to TWILIO_PHONE_NUMBER open conversations");
        }
    }
    if creation.kind.as_deref() == Some("studio") {
        say("note: each new conversation also starts a Studio flow, which may answer as well");
    }
}
