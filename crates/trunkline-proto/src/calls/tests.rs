use super::*;

const CA: &str = "CA00000000000000000000000000000001";

#[test]
fn a_page_finds_its_items_and_the_next() {
    let text = r#"{"end":0,"page":0,"page_size":1,"calls":[{"sid":"CA00000000000000000000000000000001",
        "date_created":"Tue, 31 Aug 2010 20:36:28 +0000","duration":"15","status":"completed","price":null,
        "subresource_uris":{}}],"next_page_uri":"/2010-04-01/Accounts/AC/Calls.json?PageSize=1&Page=1",
        "uri":"/x"}"#;
    let page: CallsPage<Call> = serde_json::from_str(text).unwrap();
    let call = &page.items[0];
    assert_eq!((call.sid.as_str(), call.duration), (CA, Some(15)));
    assert_eq!(call.date_created.unwrap().to_string(), "2010-08-31T20:36:28Z");
    assert!(page.next_page_uri.unwrap().ends_with("Page=1"));
    let last: CallsPage<Call> = serde_json::from_str(r#"{"calls":[],"next_page_uri":null}"#).unwrap();
    assert!(last.items.is_empty() && last.next_page_uri.is_none());
    assert!(serde_json::from_str::<CallsPage<Call>>(r#"{"page":0}"#).is_err());
}

#[test]
fn a_webhook_needs_call_and_account_and_keeps_the_rest() {
    let mut params: Vec<(String, String)> = [
        ("CallSid", CA),
        ("AccountSid", "AC00000000000000000000000000000001"),
        ("From", "+15551234567"),
        ("To", "+15557654321"),
        ("CallStatus", "ringing"),
        ("FromCity", "SPRINGFIELD"),
        ("CallerName", ""),
        ("SequenceNumber", "2"),
        ("Timestamp", "Tue, 31 Aug 2010 20:36:28 +0000"),
        ("Digits", "12"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let webhook = CallWebhook::parse(&params).unwrap();
    assert_eq!(webhook.from_geography.city.as_deref(), Some("SPRINGFIELD"));
    assert_eq!((webhook.caller_name.as_deref(), webhook.sequence_number), (None, Some(2)));
    assert_eq!((webhook.param("Digits"), webhook.param("Nothing")), (Some("12"), None));
    assert!(webhook.timestamp.is_some());
    assert!(!format!("{webhook:?}").contains("555"), "numbers are not printed");
    params[0].1 = "CA1".to_owned();
    assert_eq!(CallWebhook::parse(&params).unwrap_err().code(), "proto.webhook.bad_parameter");
    params.remove(0);
    assert_eq!(CallWebhook::parse(&params).unwrap_err().code(), "proto.webhook.missing_parameter");
}
