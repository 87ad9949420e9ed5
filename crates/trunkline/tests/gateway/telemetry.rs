//! What leaves by OTLP and what stands on the page of metrics, against the contracts' own tables.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::runtime::Runtime;
use trunkline::telemetry::{Observed, Telemetry};
use trunkline::{Server, registry};
use trunkline_core::messaging::{
    Binding, Config, ConversationConfig, ConversationId, ConversationalBackend, MediaSource, NewParticipant,
    OutgoingMessage, WebhookEvent,
};
use trunkline_core::{Channel, HealthState, Pii};
use trunkline_proto::signature::{Algorithm, sign};

use crate::support::{ADA, BOB, CONSOLE_TOKEN, Collector, Exported, NUMBER, World, message_added, until};

/// *Conversational Backend API* 1.0.0: the span of each method, its counter and its histogram. `GetConfig` has none.
const METHODS: [(&str, &str, &str); 12] = [
    (
        "twilio.messaging.backend.start",
        "twilio_messaging_backend_start_total",
        "twilio_messaging_backend_start_duration_seconds",
    ),
    (
        "twilio.messaging.backend.stop",
        "twilio_messaging_backend_stop_total",
        "twilio_messaging_backend_stop_duration_seconds",
    ),
    ("twilio.conversation.create", "twilio_conversation_create_total", "twilio_conversation_create_duration_seconds"),
    ("twilio.conversation.get", "twilio_conversation_get_total", "twilio_conversation_get_duration_seconds"),
    ("twilio.conversations.list", "twilio_conversations_list_total", "twilio_conversations_list_duration_seconds"),
    ("twilio.conversation.close", "twilio_conversation_close_total", "twilio_conversation_close_duration_seconds"),
    ("twilio.message.send", "twilio_message_send_total", "twilio_message_send_duration_seconds"),
    ("twilio.messages.receive", "twilio_messages_receive_total", "twilio_messages_receive_duration_seconds"),
    ("twilio.participant.add", "twilio_participant_add_total", "twilio_participant_add_duration_seconds"),
    ("twilio.participant.remove", "twilio_participant_remove_total", "twilio_participant_remove_duration_seconds"),
    ("twilio.messaging.webhook.handle", "twilio_messaging_webhook_total", "twilio_messaging_webhook_duration_seconds"),
    (
        "twilio.messaging.backend.health_check",
        "twilio_messaging_backend_health_check_total",
        "twilio_messaging_backend_health_check_duration_seconds",
    ),
];

/// The contract's metrics of the whole backend, the messaging package's own, and the webhook edge's.
const METRICS: [&str; 17] = [
    "twilio_messaging_backend_operations_total",
    "twilio_messaging_backend_operation_duration_seconds",
    "twilio_messaging_backend_errors_total",
    "twilio_conversation_active",
    "twilio_participant_active",
    "messaging_operations_total",
    "messaging_operation_duration_seconds",
    "messaging_errors_total",
    "messaging_conversations_total",
    "messaging_messages_total",
    "messaging_active_conversations",
    "twilio_webhook_received_total",
    "twilio_webhook_processed_total",
    "twilio_webhook_errors_total",
    "twilio_webhook_duration_seconds",
    "trunkline_turns_total",
    "trunkline_sends_total",
];

const FRIENDLY: &str = "Customer Support";
const BODY: &str = "heliotrope is what the vault opens with";

/// Uses every operation of `backend`; returns the conversation and the message that was sent.
async fn use_everything(world: &World, backend: &dyn ConversationalBackend) -> (String, String) {
    backend.start().await.unwrap();
    let config = ConversationConfig { friendly_name: Some(FRIENDLY.to_owned()), ..ConversationConfig::default() };
    let id = backend.create_conversation(config).await.unwrap().id;
    let binding =
        Binding { channel: Channel::Sms, address: Pii::new(BOB.to_owned()), proxy_address: Some(NUMBER.to_owned()) };
    let person = NewParticipant { binding: Some(binding), ..NewParticipant::default() };
    let participant = backend.add_participant(&id, person).await.unwrap();
    let stream = backend.receive_messages(&id).await.unwrap();
    let file = MediaSource::Bytes {
        content_type: "image/png".to_owned(),
        filename: None,
        data: Bytes::from_static(b"not really"),
    };
    let message = OutgoingMessage {
        body: Pii::new(BODY.to_owned()),
        channel: Some(Channel::Sms),
        media: vec![file],
        ..OutgoingMessage::default()
    };
    let sent = backend.send_message(&id, message).await.unwrap();
    assert_eq!(backend.get_conversation(&id).await.unwrap().friendly_name.as_deref(), Some(FRIENDLY));
    assert!(!backend.list_conversations().await.unwrap().is_empty());
    backend.handle_webhook(&webhook(world, id.as_str())).await.unwrap();
    backend.remove_participant(&id, &participant.id).await.unwrap();
    backend.close_conversation(&id).await.unwrap();
    let unknown = ConversationId::new("CH00000000000000000000000000000099");
    assert!(backend.get_conversation(&unknown).await.is_err());
    assert_eq!(backend.health_check().await.unwrap().state, HealthState::Healthy);
    assert_eq!(backend.config().provider(), "twilio");
    drop(stream);
    backend.stop().await.unwrap();
    (id.as_str().to_owned(), sent.id.as_str().to_owned())
}

fn webhook(world: &World, conversation: &str) -> WebhookEvent {
    let url = "https://gateway.example.com/webhooks/twilio";
    let params = message_added(world, conversation, "IM00000000000000000000000000000007", ADA, BODY).params;
    let signature = sign(Algorithm::HmacSha1, world.account.auth_token.as_bytes(), url, &params);
    WebhookEvent {
        url: url.to_owned(),
        method: "POST".to_owned(),
        headers: [("x-twilio-signature".to_owned(), signature)].into_iter().collect(),
        params,
        body: Bytes::new(),
        received_at: Timestamp::now(),
    }
}

fn config(world: &World) -> Config {
    Config::builder()
        .provider("twilio")
        .setting("account_sid", world.account.account_sid.to_string())
        .setting("base_url", format!("http://{}", world.emulator_address))
        .secret("auth_token", world.account.auth_token.as_str())
        .build()
        .unwrap()
}

struct Run {
    spans: Vec<Exported>,
    metrics: BTreeMap<String, BTreeSet<String>>,
    values: BTreeSet<String>,
    page: String,
    /// The conversation and message of the decorated backend.
    by_hand: (String, String),
    /// The conversation and message of the text that went through the gateway.
    texted: (String, String),
    account_sid: String,
    secrets: Vec<String>,
}

/// One run for all questions: every operation of a decorated backend, and a text through a gateway.
fn run() -> Run {
    let runtime = Runtime::new().unwrap();
    let (collector, mut world) = runtime.block_on(async {
        let collector = Collector::start().await;
        // A pass that reads back could be faster than the webhook, and it begins a trace of its own.
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
            ("TRUNKLINE_OTLP_INTERVAL", "1h"),
            ("TRUNKLINE_CATCH_UP", "false"),
        ];
        let world = World::without_gateway(&env).await;
        (collector, world)
    });
    let settings = world.settings(([127, 0, 0, 1], 0).into());
    let telemetry = Telemetry::new(&settings.telemetry).unwrap();
    telemetry.install_logs(&settings.telemetry);
    let (page, by_hand, texted) = runtime.block_on(async {
        let inner = registry().create("twilio", config(&world)).unwrap();
        let account = world.account.account_sid.to_string();
        let observed = Observed::new(inner, account, &telemetry.meter());
        let by_hand = use_everything(&world, &observed).await;

        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let settings = world.settings(server.address());
        world.start_gateway_with(server, settings, &telemetry).await.unwrap();
        let texted = world.text(ADA, "text 1").await;
        world.expect_answers(ADA, &["answer 1"]).await;
        let stranger = message_added(&world, &texted.0, &texted.1, ADA, BODY).with("AccountSid", "");
        assert_eq!(stranger.send(&world).await.status.as_u16(), 400);
        // The gauges are set every other second.
        let page = until("the gauges are set", async || {
            let page = world.get("/metrics").await.text;
            page.contains("\ntwilio_conversation_active 1").then_some(page)
        })
        .await;
        world.stop_gateway().await;
        (page, by_hand, texted)
    });
    telemetry.shutdown();
    Run {
        spans: collector.spans(),
        metrics: collector.metrics(),
        values: collector.values(),
        page,
        by_hand,
        texted,
        account_sid: world.account.account_sid.to_string(),
        secrets: vec![world.account.auth_token.clone(), world.account.api_secret.clone(), CONSOLE_TOKEN.to_owned()],
    }
}

#[test]
fn what_is_exported_is_what_the_contracts_name() {
    let run = run();
    check_names(&run);
    check_attributes(&run);
    check_one_trace(&run);
    check_nothing_personal(&run);
}

fn check_names(run: &Run) {
    let spans: BTreeSet<_> = run.spans.iter().map(|span| span.name.as_str()).collect();
    let on_page: BTreeSet<_> =
        run.page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for (span, total, duration) in METHODS {
        assert!(spans.contains(span), "the span {span} is not among {spans:?}");
        for metric in [total, duration] {
            assert!(run.metrics.contains_key(metric), "the metric {metric} did not come by OTLP");
            assert!(on_page.contains(metric), "the metric {metric} is not on the page");
        }
    }
    for metric in METRICS {
        assert!(run.metrics.contains_key(metric), "the metric {metric} did not come by OTLP");
        assert!(on_page.contains(metric), "the metric {metric} is not on the page");
    }
    assert!(spans.contains("twilio.webhook.handle"), "{spans:?}");
}

fn find<'a>(run: &'a Run, name: &str, attribute: &str, value: &str) -> &'a Exported {
    let fits = |span: &&Exported| span.name == name && span.attributes.get(attribute).is_some_and(|one| one == value);
    run.spans.iter().find(fits).unwrap_or_else(|| panic!("no {name} with {attribute}={value} in {:#?}", run.spans))
}

fn check_attributes(run: &Run) {
    let operations = [
        "start",
        "stop",
        "create_conversation",
        "get_conversation",
        "list_conversations",
        "close_conversation",
        "send_message",
        "receive_messages",
        "add_participant",
        "remove_participant",
        "handle_webhook",
        "health_check",
    ];
    for ((span, ..), operation) in METHODS.into_iter().zip(operations) {
        for span in run.spans.iter().filter(|one| one.name == span) {
            let attribute = |name: &str| span.attributes.get(name).map_or("", String::as_str);
            assert_eq!(attribute("twilio.account_sid"), run.account_sid, "{span:?}");
            assert_eq!(attribute("twilio.operation"), operation, "{span:?}");
            assert_eq!(attribute("operation"), operation, "{span:?}");
            assert_eq!(attribute("provider"), "twilio", "{span:?}");
        }
    }
    let (conversation, message) = (&run.by_hand.0, &run.by_hand.1);
    for name in [
        "twilio.conversation.create",
        "twilio.conversation.get",
        "twilio.conversation.close",
        "twilio.message.send",
        "twilio.messages.receive",
        "twilio.participant.add",
        "twilio.participant.remove",
        "twilio.messaging.webhook.handle",
    ] {
        let span = find(run, name, "twilio.conversation_sid", conversation);
        assert_eq!(span.attributes["conversation_sid"], *conversation, "{span:?}");
    }
    let sent = find(run, "twilio.message.send", "twilio.message_sid", message);
    assert_eq!(sent.attributes["message_sid"], *message);
    assert_eq!(sent.attributes["message.channel"], "sms");
    assert_eq!(sent.attributes["message.has_media"], "true");
    let created = find(run, "twilio.conversation.create", "conversation.friendly_name", FRIENDLY);
    assert_eq!(created.attributes["conversation.state"], "active");
    let handled = find(run, "twilio.messaging.webhook.handle", "webhook.conversation_sid", conversation);
    assert_eq!(handled.attributes["webhook.event_type"], "onMessageAdded");
    let failed = find(run, "twilio.conversation.get", "error.code", "ErrCodeConversationNotFound");
    assert_eq!(failed.attributes["twilio.operation"], "get_conversation");
    let ours = find(run, "twilio.message.send", "twilio.conversation_sid", &run.texted.0);
    assert_eq!(ours.attributes["message.channel"], "sms");
    assert_eq!(ours.attributes["message.has_media"], "false");
}

/// One trace from the webhook over the turn to the send.
fn check_one_trace(run: &Run) {
    let handled = find(run, "twilio.messaging.webhook.handle", "twilio.message_sid", &run.texted.1);
    let sent = find(run, "twilio.message.send", "twilio.conversation_sid", &run.texted.0);
    let named = |name: &str| {
        let fits = |span: &&Exported| span.name == name && span.trace == handled.trace;
        run.spans.iter().find(fits).unwrap_or_else(|| panic!("no {name} in the trace of the webhook: {:#?}", run.spans))
    };
    let (webhook, turn, send) = (named("twilio.webhook.handle"), named("text.turn"), named("text.send"));
    assert_eq!(webhook.parent, "", "{webhook:?}");
    let chain = [(handled, webhook), (turn, webhook), (send, turn), (sent, send)];
    for (child, parent) in chain {
        assert_eq!(child.parent, parent.id, "{child:?} under {parent:?}");
        assert_eq!(child.trace, webhook.trace);
    }
}

fn check_nothing_personal(run: &Run) {
    let personal = [ADA, BOB, NUMBER].map(|number| number.trim_start_matches('+').to_owned());
    let said = [BODY, "text 1", "answer 1"].map(str::to_owned);
    for secret in personal.iter().chain(&said).chain(&run.secrets) {
        let found: Vec<_> = run.values.iter().filter(|value| value.contains(secret)).collect();
        assert!(found.is_empty(), "{secret} is in {found:?}");
        assert!(!run.page.contains(secret), "{secret} is on the page");
    }
    let names: BTreeSet<_> = run.metrics.values().flatten().map(String::as_str).collect();
    for name in names {
        assert!(!name.contains("sid") && !name.contains("address"), "the label {name} names a single thing");
    }
}
