//! Chat Completions.

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
    let Some(messages) = body["messages"].as_array().filter(|_| body["model"].is_string()) else {
        return bad_request();
    };
    let tools = body["tools"].as_array().into_iter().flatten().map(|tool| &tool["function"]);
    let said = messages.iter().filter_map(|message| {
        let role = match message["role"].as_str()? {
            "user" => "person",
            "assistant" => "model",
            "tool" => "tool",
            _ => return None,
        };
        Some((role.to_owned(), words(&message["content"])))
    });
    let asked = Asked {
        api: "openai",
        key: header(&headers, "authorization").map(|key| key.trim_start_matches("Bearer ").to_owned()),
        instructions: messages.first().map(|message| words(&message["content"])).unwrap_or_default(),
        said: said.collect(),
        tools: names(tools),
        body: body.clone(),
    };
    let wire =
        Wire { begin: chunk(&json!({"role": "assistant", "content": ""}), None), piece, end: end("stop"), error };
    respond(shared.answer(asked), wire, calls)
}

fn error(status: u16) -> Value {
    json!({"error": {"message": "the model says no", "type": "server_error", "param": null, "code": status.to_string()}})
}

fn piece(text: &str) -> String {
    chunk(&json!({"content": text}), None)
}

fn calls(text: &str, calls: &[(String, Value)]) -> String {
    let mut events = piece(text);
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let arguments = arguments.to_string();
        let (head, tail) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
        let first = json!({"index": index, "id": format!("call_{index}"), "type": "function",
                           "function": {"name": name, "arguments": head}});
        let second = json!({"index": index, "function": {"arguments": tail}});
        events += &chunk(&json!({"tool_calls": [first]}), None);
        events += &chunk(&json!({"tool_calls": [second]}), None);
    }
    events + &end("tool_calls")
}

fn end(reason: &str) -> String {
    let usage = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
                       "choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}});
    chunk(&json!({}), Some(reason)) + &format!("data: {usage}\n\ndata: [DONE]\n\n")
}

fn chunk(delta: &Value, finish_reason: Option<&str>) -> String {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    });
    format!("data: {body}\n\n")
}
