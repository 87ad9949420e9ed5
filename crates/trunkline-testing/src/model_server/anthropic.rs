//! Messages.

#![allow(clippy::indexing_slicing, reason = "what a JSON value does not have is null")]

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::{Asked, Shared, Wire, bad_request, header, names, respond, words};

pub(super) async fn complete(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let is_whole =
        body["model"].is_string() && body["max_tokens"].is_u64() && headers.contains_key("anthropic-version");
    let Some(messages) = body["messages"].as_array().filter(|_| is_whole) else { return bad_request() };
    let is_result = |message: &Value| message["content"][0]["type"] == "tool_result";
    let said = messages.iter().filter_map(|message| {
        let role = match message["role"].as_str()? {
            "user" if is_result(message) => "tool",
            "user" => "person",
            "assistant" => "model",
            _ => return None,
        };
        Some((role.to_owned(), words(&message["content"])))
    });
    let asked = Asked {
        api: "anthropic",
        key: header(&headers, "x-api-key"),
        instructions: words(&body["system"]),
        said: said.collect(),
        tools: names(body["tools"].as_array().into_iter().flatten()),
        body: body.clone(),
    };
    let begin = event(&json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
        "role": "assistant", "content": [], "model": "scripted", "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 20, "output_tokens": 1}}}))
        + &event(&json!({"type": "ping"}))
        + &event(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}));
    respond(shared.answer(asked), Wire { begin, piece, end: end("end_turn"), error }, calls)
}

fn error(status: u16) -> Value {
    let kind = if status == 429 { "rate_limit_error" } else { "api_error" };
    json!({"type": "error", "error": {"type": kind, "message": "the model says no"}})
}

fn piece(text: &str) -> String {
    event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}))
}

fn calls(text: &str, calls: &[(String, Value)]) -> String {
    let mut events = piece(text) + &event(&json!({"type": "content_block_stop", "index": 0}));
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let place = index + 1;
        let arguments = arguments.to_string();
        let (head, tail) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
        let block = json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": {}});
        events += &event(&json!({"type": "content_block_start", "index": place, "content_block": block}));
        for piece in [head, tail] {
            let delta = json!({"type": "input_json_delta", "partial_json": piece});
            events += &event(&json!({"type": "content_block_delta", "index": place, "delta": delta}));
        }
        events += &event(&json!({"type": "content_block_stop", "index": place}));
    }
    events + &stop("tool_use")
}

fn end(reason: &str) -> String {
    event(&json!({"type": "content_block_stop", "index": 0})) + &stop(reason)
}

fn stop(reason: &str) -> String {
    event(&json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
                  "usage": {"output_tokens": 5}}))
        + &event(&json!({"type": "message_stop"}))
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}
