//! What leaves by OTLP of calls, against the voice contract's own table.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::runtime::Runtime;
use trunkline::telemetry::{ObservedVoice, Telemetry};
use trunkline_core::Config;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{CallControl, ConnectionState, ErrorCode, SessionConfig, SessionId, VoiceBackend};
use trunkline_proto::signature::{Algorithm, sign};
use trunkline_twilio::voice::{TwilioVoice, paths};

use crate::support::{ADA, BOB, Collector, World};

/// *Voice Backend API* 1.0.0: the span of each method, its counter and its histogram, and the operation's name.
const METHODS: [(&str, &str, &str, &str); 8] = [
    ("twilio.backend.start", "twilio_backend_start_total", "twilio_backend_start_duration_seconds", "start"),
    ("twilio.backend.stop", "twilio_backend_stop_total", "twilio_backend_stop_duration_seconds", "stop"),
    ("twilio.call.create", "twilio_call_create_total", "twilio_call_create_duration_seconds", "create_session"),
    ("twilio.session.get", "twilio_session_get_total", "twilio_session_get_duration_seconds", "get_session"),
    ("twilio.sessions.list", "twilio_sessions_list_total", "twilio_sessions_list_duration_seconds", "list_sessions"),
    ("twilio.session.close", "twilio_session_close_total", "twilio_session_close_duration_seconds", "close_session"),
    (
        "twilio.backend.health_check",
        "twilio_backend_health_check_total",
        "twilio_backend_health_check_duration_seconds",
        "health_check",
    ),
    (
        "twilio.backend.update_config",
        "twilio_backend_update_config_total",
        "twilio_backend_update_config_duration_seconds",
        "update_config",
    ),
];

/// The contract's other metrics.
const METRICS: [&str; 7] = [
    "twilio_backend_connection_state",
    "twilio_backend_active_sessions",
    "twilio_backend_operations_total",
    "twilio_backend_operation_duration_seconds",
    "twilio_backend_errors_total",
    "twilio_session_active",
    "twilio_stream_active",
];

/// Nobody listens there.
const GATEWAY: &str = "http://127.0.0.1:9";
const CALL: &str = "CA0000000000000000000000000000000a";

fn config(world: &World) -> Config {
    Config::builder()
        .provider("twilio")
        .setting("account_sid", world.account.account_sid.to_string())
        .setting("base_url", format!("http://{}", world.emulator_address))
        .setting("phone_number", world.account.phone_number.as_str())
        .setting("webhook_url", GATEWAY)
        .setting("stream_timeout", "20ms")
        .secret("auth_token", world.account.auth_token.as_str())
        .build()
        .unwrap()
}

fn incoming(world: &World) -> WebhookEvent {
    let url = format!("{GATEWAY}{}", paths::VOICE);
    let account = world.account.account_sid.to_string();
    let params = [("CallSid", CALL), ("AccountSid", &account), ("From", BOB), ("To", &world.account.phone_number)];
    let params: Vec<_> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let signature = sign(Algorithm::HmacSha1, world.account.auth_token.as_bytes(), &url, &params);
    WebhookEvent {
        url,
        method: "POST".to_owned(),
        headers: vec![("x-twilio-signature".to_owned(), signature)],
        params,
        body: Bytes::new(),
        received_at: Timestamp::now(),
    }
}

/// Uses every operation of `voice`; returns the session that was placed and its call.
async fn use_everything(world: &World, voice: &dyn VoiceBackend) -> (String, String) {
    voice.start().await.unwrap();
    let wanted = SessionConfig { ring_timeout: Duration::from_secs(5), ..SessionConfig::to(ADA.parse().unwrap()) };
    let session = voice.create_session(wanted).await.unwrap();
    voice.get_session(session.id()).await.unwrap();
    assert_eq!(voice.get_session(&SessionId::new("none")).await.unwrap_err().code(), ErrorCode::SessionNotFound);
    let heard = voice.handle_inbound_call(&incoming(world)).await.unwrap();
    assert_eq!((voice.list_sessions().await.unwrap().len(), voice.active_session_count()), (2, 2));
    assert_eq!(voice.stream_audio(heard.id()).await.err().unwrap().code(), ErrorCode::StreamFailed);
    assert_eq!(voice.stream_text(heard.id()).await.err().unwrap().code(), ErrorCode::StreamFailed);
    // Twilio does not know this call, so that it is over.
    assert!(voice.control(heard.id(), CallControl::Hold { announcement: None }).await.is_err());
    voice.close_session(session.id()).await.unwrap();
    voice.health_check().await.unwrap();
    voice.update_config(config(world)).await.unwrap();
    assert_eq!((voice.config().provider(), voice.connection_state()), ("twilio", ConnectionState::Connected));
    voice.stop().await.unwrap();
    (session.id().to_string(), session.call().unwrap())
}

#[test]
fn what_is_exported_of_calls_is_what_the_contract_names() {
    let runtime = Runtime::new().unwrap();
    let (collector, world) = runtime.block_on(async {
        let collector = Collector::start().await;
        let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()), ("TRUNKLINE_OTLP_INTERVAL", "1h")];
        let world = World::without_gateway(&env).await;
        (collector, world)
    });
    let settings = world.settings(([127, 0, 0, 1], 0).into());
    let telemetry = Telemetry::new(&settings.telemetry).unwrap();
    telemetry.install_logs(&settings.telemetry);
    let account = world.account.account_sid.to_string();
    let (session, call) = runtime.block_on(async {
        let voice = TwilioVoice::new(config(&world)).unwrap();
        let counters = voice.counters();
        let streams = move || counters.streams();
        let observed = ObservedVoice::new(Arc::new(voice), account.as_str(), &telemetry.meter(), streams);
        use_everything(&world, &observed).await
    });
    telemetry.shutdown();

    let (spans, metrics) = (collector.spans(), collector.metrics());
    let names: BTreeSet<_> = spans.iter().map(|span| span.name.as_str()).collect();
    for (name, total, duration, operation) in METHODS {
        assert!(names.contains(name), "the span {name} is not among {names:?}");
        for metric in [total, duration] {
            assert!(metrics.contains_key(metric), "the metric {metric} did not come by OTLP");
        }
        for span in spans.iter().filter(|span| span.name == name) {
            assert_eq!(span.attributes["twilio.account_sid"], account, "{span:?}");
            assert_eq!(span.attributes["twilio.operation"], operation, "{span:?}");
        }
    }
    for metric in METRICS {
        assert!(metrics.contains_key(metric), "the metric {metric} did not come by OTLP");
    }
    for name in ["twilio.call.create", "twilio.session.get", "twilio.session.close"] {
        let fits = |span: &&_| is_about(span, name, &session);
        let span = spans.iter().find(fits).unwrap_or_else(|| panic!("no {name} of the session in {spans:#?}"));
        assert_eq!(span.attributes["twilio.call_sid"], call, "{span:?}");
    }
    let created = spans.iter().find(|span| span.name == "twilio.call.create").unwrap();
    assert_eq!(created.attributes["call.direction"], "outbound");
    for (attribute, number) in [("call.to", ADA), ("call.from", world.account.phone_number.as_str())] {
        let shown = &created.attributes[attribute];
        assert!(
            shown.contains('*') && shown.ends_with(number.get(number.len() - 2..).unwrap()),
            "{attribute} is {shown}"
        );
    }
    let values = collector.values();
    for secret in [ADA, BOB, &world.account.phone_number, &world.account.auth_token] {
        let found: Vec<_> = values.iter().filter(|value| value.contains(secret.trim_start_matches('+'))).collect();
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
}

fn is_about(span: &crate::support::Exported, name: &str, session: &str) -> bool {
    span.name == name && span.attributes.get("twilio.session_id").is_some_and(|one| one == session)
}
