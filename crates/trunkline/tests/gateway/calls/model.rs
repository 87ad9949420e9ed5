//! Calls that a speech-to-speech model leads, with a server of the Realtime protocol on a socket.

use super::*;
use crate::support::{ModelAnswer, RealtimeModel};

async fn led_by(model: &RealtimeModel, env: &[(&str, &str)]) -> World {
    let mut all = vec![
        ("TRUNKLINE_SPEECH_MODEL", "openai"),
        ("OPENAI_BASE_URL", model.base_url.as_str()),
        ("OPENAI_API_KEY", "sk-test"),
        ("TRUNKLINE_RECOGNIZER", "offline"),
        ("TRUNKLINE_SYNTHESIZER", "offline"),
    ];
    all.extend_from_slice(env);
    world(&all).await
}

async fn turns_of(world: &World, past: &Value) -> Vec<Value> {
    let call = world.api(&format!("/api/v1/calls/{}", past["call"].as_str().unwrap())).await;
    call["turns"].as_array().unwrap().clone()
}

fn said_to(model: &RealtimeModel) -> Vec<String> {
    let items = model.told().into_iter().filter(|event| event["type"] == "conversation.item.create");
    items.filter_map(|event| Some(event["item"]["content"][0]["text"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn a_model_greets_answers_and_is_heard_out_when_it_says_goodbye() {
    let model = RealtimeModel::start([
        ModelAnswer::says(&["hello how can i help you"]),
        ModelAnswer {
            heard: Some("What is my name?"),
            // Two items: the first plays on while the second is made.
            ..ModelAnswer::says(&["your name is ada", "you are welcome"])
        },
        ModelAnswer {
            heard: Some("Goodbye."),
            calls: Some("hang_up"),
            ..ModelAnswer::says(&["goodbye and thank you"])
        },
    ])
    .await;
    let world = led_by(&model, &[]).await;
    let steps = [
        listen(),
        json!({"say": "what is my name"}),
        json!({"wait_for_speech": {"timeout_ms": 15_000, "expect": ["your name is ada you are welcome", "hello ada"],
            "end_silence_ms": 1_200}}),
        json!({"say": "goodbye"}),
        listen(),
        json!({"wait_for_hang_up": {"timeout_ms": 10_000}}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result), [GREETING, "your name is ada you are welcome", GOODBYE], "{result}");
    let past = past_call(&world).await;
    assert_eq!(past["outcome"], "agent");
    let turns = turns_of(&world, &past).await;
    let said: Vec<_> =
        turns.iter().map(|turn| (turn["person"].as_str().unwrap(), turn["agent"].as_str().unwrap())).collect();
    assert_eq!(
        said,
        [
            ("", "hello how can i help you"),
            ("What is my name?", "your name is ada"),
            ("", "you are welcome"),
            ("Goodbye.", "goodbye and thank you"),
        ]
    );
    assert!(turns.iter().all(|turn| turn["interrupted"] == false), "{turns:?}");
    assert!(past["recording"].is_string(), "{past}");
}

#[tokio::test]
async fn a_model_that_is_talked_over_is_told_what_was_heard_of_each_answer() {
    let long = "we are open from monday to friday from nine to five and on saturday from ten to two";
    let model = RealtimeModel::start([
        ModelAnswer::says(&["hello how can i help you"]),
        ModelAnswer { heard: Some("What time do you open?"), ..ModelAnswer::says(&[long, "you are welcome"]) },
        ModelAnswer { heard: Some("What is my name?"), ..ModelAnswer::says(&["your name is ada"]) },
    ])
    .await;
    let world = led_by(&model, &[]).await;
    let steps = [
        listen(),
        json!({"say": "what time do you open"}),
        json!({"talk_over": {"after_ms": 1_200, "say": "what is my name"}}),
        listen(),
        json!({"hang_up": true}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result).last(), Some(&YOUR_NAME), "{result}");
    let voiced = result["timings"]["clear_voiced_ms"][0].as_u64().unwrap();
    assert!(voiced < 120, "cleared after {voiced} ms of the caller's voice");
    let turns = turns_of(&world, &past_call(&world).await).await;
    let remembered = turns[1]["agent"].as_str().unwrap();
    assert!(remembered.starts_with("we are open") && !remembered.contains("saturday"), "{turns:?}");
    assert_eq!((&turns[1]["interrupted"], &turns[2]["interrupted"]), (&json!(true), &json!(true)), "{turns:?}");
    assert_eq!(turns[2]["agent"], "", "what was queued behind it was not heard: {turns:?}");
    let cuts: Vec<_> = model.told().into_iter().filter(|event| event["type"] == "conversation.item.truncate").collect();
    let heard_ms = |at: usize| cuts[at]["audio_end_ms"].as_u64().unwrap();
    assert_eq!((cuts[0]["item_id"].as_str(), cuts[1]["item_id"].as_str()), (Some("item_2_0"), Some("item_2_1")));
    assert!((800..3_000).contains(&heard_ms(0)) && heard_ms(1) == 0, "{cuts:?}");
}

#[tokio::test]
async fn a_model_asks_whoever_is_silent_and_says_goodbye() {
    let model = RealtimeModel::start([
        ModelAnswer::says(&["hello how can i help you"]),
        ModelAnswer::says(&["you are welcome"]),
        ModelAnswer::says(&["goodbye and thank you"]),
    ])
    .await;
    let env = [("TRUNKLINE_REPROMPT_AFTER", "2s"), ("TRUNKLINE_MAX_REPROMPTS", "1")];
    let world = led_by(&model, &env).await;
    let steps = [listen(), listen(), listen(), json!({"wait_for_hang_up": {"timeout_ms": 15_000}})];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    assert_eq!(heard(&result), [GREETING, WELCOME, GOODBYE], "{result}");
    assert_eq!(past_call(&world).await["outcome"], "silence");
    let orders = said_to(&model);
    assert_eq!(orders.len(), 2, "{orders:?}");
    assert!(orders.iter().all(|order| order.starts_with("(Say to the caller: ")), "{orders:?}");
}

#[tokio::test]
async fn a_model_that_is_lost_is_apologised_for_and_the_call_goes_on_without_it() {
    let broken = ModelAnswer { breaks: true, ..ModelAnswer::says(&["hello how can i help you"]) };
    let model = RealtimeModel::start([broken]).await;
    let world = led_by(&model, &[]).await;
    let steps = [
        json!({"wait_for_speech": {"timeout_ms": 15_000, "end_silence_ms": 1_500}}),
        json!({"say": "my name is ada"}),
        listen(),
        json!({"hang_up": true}),
    ];
    let result = call(&world, ADA, &steps).await;
    assert!(result["failed"].is_null(), "{result}");
    let said = heard(&result);
    assert!([NICE, HELLO].contains(said.last().unwrap()), "{result}");
}
