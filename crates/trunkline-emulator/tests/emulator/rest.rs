//! Conversations v1 REST: shapes, pages, errors, and both forms of every path.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NUMBER, PERSON, World, answer};

/// The keys of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

#[tokio::test]
async fn resources_have_exactly_twilios_keys() {
    let world = World::start().await;
    let timers = [("Timers.Inactive", "PT1M"), ("Timers.Closed", "PT10M")];
    let conversation = world.post("/v1/Conversations", &timers).await.body;
    assert_eq!(
        keys(&conversation),
        [
            "account_sid",
            "attributes",
            "bindings",
            "chat_service_sid",
            "date_created",
            "date_updated",
            "friendly_name",
            "links",
            "messaging_service_sid",
            "sid",
            "state",
            "timers",
            "unique_name",
            "url"
        ]
    );
    assert_eq!(keys(&conversation["links"]), ["export", "messages", "participants", "webhooks"]);
    assert_eq!(keys(&conversation["timers"]), ["date_closed", "date_inactive"]);
    assert_eq!((&conversation["attributes"], &conversation["bindings"]), (&json!("{}"), &json!({})));
    let date = conversation["date_created"].as_str().unwrap();
    assert!(date.len() == 20 && date.ends_with('Z'), "{date}");

    let path = conversation["url"].as_str().unwrap();
    world.bind(path, PERSON).await;
    let participant = world.post(&format!("{path}/Participants"), &[("Identity", "bot")]).await.body;
    assert_eq!(
        keys(&participant),
        [
            "account_sid",
            "attributes",
            "conversation_sid",
            "date_created",
            "date_updated",
            "identity",
            "last_read_message_index",
            "last_read_timestamp",
            "messaging_binding",
            "role_sid",
            "sid",
            "url"
        ]
    );
    let message = world.post(&format!("{path}/Messages"), &[("Body", "hi"), ("Author", "bot")]).await.body;
    assert_eq!(
        keys(&message),
        [
            "account_sid",
            "attributes",
            "author",
            "body",
            "content_sid",
            "conversation_sid",
            "date_created",
            "date_updated",
            "delivery",
            "index",
            "links",
            "media",
            "participant_sid",
            "sid",
            "url"
        ]
    );
    assert_eq!((&message["index"], &message["media"]), (&json!(0), &Value::Null));
    for resource in [&conversation, &participant, &message] {
        let fetched = world.get(resource["url"].as_str().unwrap()).await;
        assert_eq!(fetched.body["sid"], resource["sid"]);
    }
}

#[tokio::test]
async fn a_hundred_and_twenty_messages_are_three_pages() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    for number in 0..120 {
        world.create(&format!("{conversation}/Messages"), &[("Body", &format!("message {number}"))]).await;
    }
    let mut url = Some(format!("{conversation}/Messages?PageSize=50"));
    let (mut sizes, mut bodies, mut previous) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(next) = url {
        let page = world.get(&next).await.body;
        assert_eq!(page["meta"]["key"], "messages");
        assert_eq!(page["meta"]["page_size"], 50);
        let messages = page["messages"].as_array().unwrap();
        sizes.push(messages.len());
        bodies.extend(messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()));
        previous.push(page["meta"]["previous_page_url"].as_str().map(str::to_owned));
        url = page["meta"]["next_page_url"].as_str().map(str::to_owned);
        assert!(url.as_ref().is_none_or(|url| url.starts_with(world.emulator.url())), "{url:?}");
    }
    assert_eq!(sizes, [50, 50, 20]);
    assert_eq!(bodies, (0..120).map(|number| format!("message {number}")).collect::<Vec<_>>());
    assert_eq!(previous[0], None);
    let back = world.get(previous[2].as_ref().unwrap()).await.body;
    assert_eq!(back["messages"][0]["body"], "message 50");

    let newest = world.get(&format!("{conversation}/Messages?Order=desc&PageSize=1")).await.body;
    assert_eq!(newest["messages"][0]["index"], 119);
    assert!(newest["meta"]["next_page_url"].as_str().unwrap().contains("Order=desc"));
}

#[tokio::test]
async fn errors_have_twilios_codes() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    world.create("/v1/Conversations", &[("UniqueName", "taken")]).await;
    world.bind(&conversation, PERSON).await;
    let other = world.conversation().await;
    let participants = format!("{conversation}/Participants");
    world.create(&participants, &[("Identity", "bot")]).await;
    let elsewhere = format!("{other}/Participants");
    let long = "x".repeat(257);
    let check = async |path: &str, form: &[(&str, &str)], expect: (u16, u64)| {
        let refused = world.post(path, form).await;
        assert_eq!(refused.problem(), expect, "{path} {form:?} {}", refused.body);
        assert_eq!(keys(&refused.body), ["code", "message", "more_info", "status"]);
        assert_eq!(refused.body["status"], expect.0);
    };
    let address = "MessagingBinding.Address";
    let proxy = "MessagingBinding.ProxyAddress";
    check("/v1/Conversations", &[("UniqueName", "taken")], (409, 50353)).await;
    check("/v1/Conversations", &[("UniqueName", &format!("CH{}", "0".repeat(32)))], (400, 50390)).await;
    check("/v1/Conversations", &[("Attributes", "{")], (400, 50304)).await;
    check("/v1/Conversations", &[("Attributes", &format!("\"{}\"", "x".repeat(17_000)))], (400, 50303)).await;
    check("/v1/Conversations", &[("FriendlyName", &long)], (400, 50301)).await;
    check("/v1/Conversations", &[("State", "sleeping")], (400, 50378)).await;
    check("/v1/Conversations", &[("State", "closed")], (400, 50384)).await;
    check("/v1/Conversations", &[("Timers.Inactive", "PT5S")], (400, 50375)).await;
    check("/v1/Conversations", &[("Timers.Closed", "PT5M")], (400, 50376)).await;
    check("/v1/Conversations", &[("Timers.Closed", "never")], (400, 50379)).await;
    check("/v1/Conversations", &[("MessagingServiceSid", "MG1")], (400, 50341)).await;
    check("/v1/Conversations", &[("DateCreated", "today")], (400, 20001)).await;
    check("/v1/Conversations/CH1", &[("FriendlyName", "x")], (404, 20404)).await;
    check("/v1/Conversations/CH1/Messages", &[("Body", "x")], (404, 20404)).await;
    check("/v1/Nothing", &[], (404, 20404)).await;
    check("/v1/Services/IS1/Conversations", &[], (404, 20404)).await;
    check(&participants, &[("Identity", "bot")], (409, 50433)).await;
    check(&participants, &[("Identity", "a"), (address, PERSON)], (400, 50451)).await;
    check(&participants, &[], (400, 50410)).await;
    check(&participants, &[(address, "+15550002222")], (400, 50409)).await;
    check(&participants, &[(address, "nobody"), (proxy, NUMBER)], (400, 50407)).await;
    check(&participants, &[(address, "+15550002222"), (proxy, "me")], (400, 50408)).await;
    check(&participants, &[(address, "whatsapp:+15550002222"), (proxy, NUMBER)], (400, 50412)).await;
    check(&participants, &[(address, "+15550002222"), (proxy, "+15559999999")], (400, 50413)).await;
    let not_a_sender = [(address, "whatsapp:+15550002222"), (proxy, "whatsapp:+15559999999")];
    check(&participants, &not_a_sender, (400, 50415)).await;
    check(&participants, &[(address, PERSON), (proxy, NUMBER)], (409, 50416)).await;
    check(&elsewhere, &[(address, PERSON), (proxy, NUMBER)], (409, 50416)).await;
    check(&participants, &[("Identity", "b"), ("RoleSid", "RL1")], (400, 20001)).await;
    check(&format!("{conversation}/Messages"), &[], (400, 20001)).await;
    check(&format!("{conversation}/Messages"), &[("MediaSid", "ME1")], (400, 50512)).await;
    check(&format!("{conversation}/Webhooks"), &[], (400, 50368)).await;
    check(&format!("{conversation}/Webhooks"), &[("Target", "fax")], (400, 50364)).await;
    check(&format!("{conversation}/Webhooks"), &[("Target", "studio")], (400, 50367)).await;
    check("/v1/Configuration/Webhooks", &[("PostWebhookUrl", "nowhere")], (400, 20001)).await;
    check("/v1/Configuration/Addresses", &[("Type", "sms")], (400, 20001)).await;
    check("/v1/Configuration/Addresses", &[("Type", "sms"), ("Address", NUMBER)], (409, 20409)).await;

    for (query, expect) in [
        ("PageSize=101", (400, 20007)),
        ("PageSize=0", (400, 20001)),
        ("PageSize=x", (400, 20001)),
        ("PageToken=x", (400, 20001)),
        ("Order=up", (400, 20001)),
    ] {
        assert_eq!(world.get(&format!("{conversation}/Messages?{query}")).await.problem(), expect, "{query}");
    }
    let put = answer(world.request(Method::PUT, &conversation)).await;
    assert_eq!(put.problem(), (405, 20004));
}

#[tokio::test]
async fn token_and_key_open_and_answers_are_named() {
    let world = World::start().await;
    let account = world.emulator.account().clone();
    let key = world.http.get(world.url("/v1/Services")).basic_auth(account.api_key, Some(&account.api_secret));
    assert_eq!(answer(key).await.status, StatusCode::OK);
    for request in [
        world.http.get(world.url("/v1/Services")),
        world.http.get(world.url("/v1/Services")).basic_auth(account.account_sid, Some("wrong")),
        world.http.get(world.url("/v1/Services")).basic_auth(account.api_key, Some(&account.auth_token)),
        world.http.get(world.url("/v1/Services")).bearer_auth(&account.auth_token),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let id = response.headers()["twilio-request-id"].to_str().unwrap().to_owned();
        assert!(id.starts_with("RQ") && id.len() == 34, "{id}");
        assert_eq!(response.json::<Value>().await.unwrap()["code"], 20003);
    }
}

#[tokio::test]
async fn conversations_are_filtered_and_found_by_name() {
    let world = World::start().await;
    let old = [("UniqueName", "old"), ("DateCreated", "2020-05-05T10:00:00Z")];
    world.create("/v1/Conversations", &old).await;
    let new = world.create("/v1/Conversations", &[("UniqueName", "new")]).await;
    world.post("/v1/Conversations/new", &[("State", "inactive")]).await;
    let check = async |query: &str, expect: &[&str]| {
        let list = world.get(&format!("/v1/Conversations?{query}")).await.body;
        let found: Vec<_> = list["conversations"].as_array().unwrap().iter().map(|one| &one["unique_name"]).collect();
        assert_eq!(found, expect, "{query}");
    };
    check("", &["new", "old"]).await;
    check("State=inactive", &["new"]).await;
    check("State=closed", &[]).await;
    check("StartDate=2020-05-05&EndDate=2020-05-05", &["old"]).await;
    check("StartDate=2020-05-06", &["new"]).await;
    check("EndDate=2020-05-05T10:00:00Z", &["old"]).await;
    check("PageSize=1&State=active", &["old"]).await;
    assert_eq!(world.get("/v1/Conversations/new").await.text("sid"), new);
    assert_eq!(world.delete("/v1/Conversations/new").await, StatusCode::NO_CONTENT);
    assert_eq!(world.get("/v1/Conversations/new").await.problem(), (404, 20404));
    world.create("/v1/Conversations", &[("UniqueName", "new")]).await;
}

#[tokio::test]
async fn the_service_has_the_same_conversations_under_its_own_urls() {
    let world = World::start().await;
    let services = world.get("/v1/Services").await.body;
    let service = services["services"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(services["meta"]["key"], "services");
    assert_eq!(world.get(&service).await.body["sid"], world.emulator.account().chat_service_sid.as_str());
    let sid = world.create(&format!("{service}/Conversations"), &[]).await;
    let conversation = world.get(&format!("{service}/Conversations/{sid}")).await.body;
    assert_eq!(conversation["url"], format!("{service}/Conversations/{sid}"));
    let messages = conversation["links"]["messages"].as_str().unwrap();
    world.create(messages, &[("Body", "hi")]).await;
    let page = world.get(&format!("{messages}?PageSize=1")).await.body;
    assert!(page["meta"]["url"].as_str().unwrap().starts_with(messages), "{page}");
    let by_account = world.get(&format!("/v1/Conversations/{sid}/Messages")).await.body;
    assert_eq!(by_account["messages"][0]["sid"], page["messages"][0]["sid"]);
    let configuration = world.get(&format!("{service}/Configuration")).await.body;
    assert_eq!(configuration["reachability_enabled"], false);
    let enabled = world.post(&format!("{service}/Configuration"), &[("ReachabilityEnabled", "true")]).await;
    assert_eq!(enabled.body["reachability_enabled"], true);
}

#[tokio::test]
async fn configuration_webhooks_and_addresses_are_kept() {
    let world = World::start().await;
    let service = format!("/v1/Services/{}", world.emulator.account().chat_service_sid);
    let empty = world.get(&format!("{service}/Configuration/Webhooks")).await.body;
    assert_eq!((&empty["filters"], &empty["method"]), (&Value::Null, &Value::Null));
    world.configure(&[("PostWebhookUrl", "https://example.com/post"), ("Method", "GET")], &["onMessageAdded"]).await;
    let account = world.get("/v1/Configuration/Webhooks").await.body;
    assert_eq!(account["post_webhook_url"], "https://example.com/post");
    assert_eq!((&account["method"], &account["target"]), (&json!("GET"), &json!("webhook")));
    assert_eq!(account["filters"], json!(["onMessageAdded"]));

    let timers = [("DefaultInactiveTimer", "PT5M"), ("DefaultClosedTimer", "PT15M")];
    let configuration = world.post("/v1/Configuration", &timers).await.body;
    assert_eq!(configuration["default_closed_timer"], "PT15M");
    let conversation = world.conversation().await;
    assert_eq!(keys(&world.get(&conversation).await.body["timers"]), ["date_closed", "date_inactive"]);

    let addresses = world.get("/v1/Configuration/Addresses").await.body;
    let kinds: Vec<_> =
        addresses["address_configurations"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
    assert_eq!(kinds, ["sms", "whatsapp"]);
    let form = [("Type", "whAtsAPP"), ("Address", "whatsapp:+15558888888"), ("AutoCreation.Enabled", "true")];
    let sid = world.create("/v1/Configuration/Addresses", &form).await;
    let by_type = world.get("/v1/Configuration/Addresses?Type=whatsapp&PageSize=1").await.body;
    assert!(by_type["meta"]["next_page_url"].as_str().unwrap().contains("Type=whatsapp"), "{by_type}");
    assert_eq!(world.delete(&format!("/v1/Configuration/Addresses/{sid}")).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("/v1/Configuration/Addresses/{sid}")).await.problem(), (404, 20404));
}

#[tokio::test]
async fn scoped_webhooks_are_listed_changed_and_removed() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let webhooks = format!("{conversation}/Webhooks");
    let form = [
        ("Target", "webhook"),
        ("Configuration.Url", "https://example.com"),
        ("Configuration.Filters", "onMessageAdded"),
    ];
    let first = world.create(&webhooks, &form).await;
    let changed = world.post(&format!("{webhooks}/{first}"), &[("Configuration.Method", "GET")]).await.body;
    let expect = json!({"url": "https://example.com", "method": "get", "filters": ["onMessageAdded"]});
    assert_eq!(changed["configuration"], expect);
    for _ in 0..4 {
        world.create(&webhooks, &form).await;
    }
    assert_eq!(world.post(&webhooks, &form).await.problem(), (400, 50361));
    let list = world.get(&webhooks).await.body;
    assert_eq!((list["webhooks"].as_array().unwrap().len(), &list["meta"]["page_size"]), (5, &json!(5)));
    assert_eq!(world.delete(&format!("{webhooks}/{first}")).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("{webhooks}/{first}")).await.problem(), (404, 20404));
}

#[tokio::test]
async fn participants_are_found_changed_and_removed() {
    let world = World::start().await;
    let conversation = world.conversation().await;
    let bound = world.bind(&conversation, PERSON).await;
    world.create(&format!("{conversation}/Participants"), &[("Identity", "bot")]).await;
    let path = format!("{conversation}/Participants/bot");
    let read = [("LastReadMessageIndex", "7"), ("Attributes", "{\"a\":1}")];
    let changed = world.post(&path, &read).await.body;
    assert_eq!((&changed["last_read_message_index"], &changed["attributes"]), (&json!(7), &json!("{\"a\":1}")));
    assert_eq!(world.delete(&format!("{conversation}/Participants/{bound}")).await, StatusCode::NO_CONTENT);
    let list = world.get(&format!("{conversation}/Participants")).await.body;
    assert_eq!(list["participants"].as_array().unwrap().len(), 1);
    // The pair is free again.
    let other = world.conversation().await;
    world.bind(&other, PERSON).await;
}
