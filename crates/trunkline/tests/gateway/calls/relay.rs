//! Numbers where the provider listens and speaks.

use super::*;

#[tokio::test]
async fn a_welcome_of_the_provider_takes_the_place_of_the_greeting() {
    let world = world(&[
        ("TRUNKLINE_RELAY_NUMBERS", "*"),
        ("TRUNKLINE_RELAY_WELCOME_GREETING", "You are welcome."),
        ("TRUNKLINE_RELAY_INTERRUPT_SENSITIVITY", "medium"),
    ])
    .await;
    let steps = [listen(), json!({"say": "my name is ada"}), listen(), json!({"hang_up": true})];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    let said = heard(&result);
    assert!(said[0] == WELCOME && [NICE, HELLO].contains(&said[1]), "{said:?}");
    let past = past_call(&world).await;
    let turns = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await["turns"].clone();
    assert_eq!(turns[0]["agent"], "You are welcome.", "{turns}");
}
