//! What a program that uses the crate relies on.

use trunkline::registry;
use trunkline_core::messaging::{Config, ErrorCode};

fn config(provider: &str) -> Config {
    Config::builder()
        .provider(provider)
        .setting("account_sid", "AC00000000000000000000000000000001")
        .secret("auth_token", "the account's token")
        .build()
        .unwrap()
}

#[test]
fn the_registry_makes_a_twilio_backend() {
    let backend = registry().create("twilio", config("twilio")).unwrap();
    assert_eq!(backend.config().provider(), "twilio");
    assert_eq!(backend.config().text("account_sid"), Some("AC00000000000000000000000000000001"));
    assert_eq!(registry().providers().collect::<Vec<_>>(), ["twilio"]);
}

#[test]
fn an_unknown_provider_is_told_the_known_ones() {
    let error = registry().create("vonage", config("vonage")).err().unwrap();
    assert_eq!(error.code(), ErrorCode::ProviderNotFound);
    let text = error.to_string();
    assert!(text.contains("vonage") && text.contains("twilio"), "{text}");
}

#[test]
fn a_backend_that_cannot_work_is_refused_with_every_problem() {
    let config = Config::builder().provider("twilio").setting("account_sid", "AC1").setting("colour", "blue");
    let error = registry().create("twilio", config.build().unwrap()).err().unwrap();
    assert_eq!(error.code(), ErrorCode::InvalidConfig);
    let text = error.to_string();
    for key in ["account_sid", "auth_token", "colour"] {
        assert!(text.contains(key), "{key} in {text}");
    }
}
