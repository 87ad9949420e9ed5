//! What a person said, as messages of the chat completions API: words, and pictures as data URLs.

use async_openai::error::OpenAIError;
use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestMessageContentPartImage, ChatCompletionRequestUserMessageArgs,
    ChatCompletionRequestUserMessageContentPart, ImageUrl,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Attachment, MediaKind, Turn};

/// Pictures of one turn that a model sees: the first ones.
const MAX_IMAGES: usize = 5;
/// The largest picture that a model sees, in bytes.
const MAX_IMAGE_BYTES: u64 = 5 << 20;

/// The texts of a turn, each with the pictures that came with it. Of other files the model is told that they are there.
pub(super) async fn input(turn: &Turn) -> Result<Vec<ChatCompletionRequestMessage>, OpenAIError> {
    let mut messages = Vec::with_capacity(turn.input.len());
    let mut left = MAX_IMAGES;
    for (number, text) in turn.input.iter().enumerate() {
        let mut words = text.expose().clone();
        let mut images = Vec::new();
        for file in turn.attachments.iter().filter(|file| file.input == number) {
            match image(file, &mut left).await {
                Some(url) => images.push(url),
                None => note(&mut words, file),
            }
        }
        let mut message = ChatCompletionRequestUserMessageArgs::default();
        if images.is_empty() {
            message.content(words.as_str());
        } else {
            message.content(parts(words, images));
        }
        messages.push(message.build()?.into());
    }
    Ok(messages)
}

fn parts(words: String, images: Vec<String>) -> Vec<ChatCompletionRequestUserMessageContentPart> {
    let text = (!words.is_empty()).then(|| ChatCompletionRequestUserMessageContentPart::Text(words.into()));
    let images = images.into_iter().map(|url| {
        let image_url = ImageUrl { url, detail: None };
        ChatCompletionRequestUserMessageContentPart::ImageUrl(ChatCompletionRequestMessageContentPartImage {
            image_url,
            ..Default::default()
        })
    });
    text.into_iter().chain(images).collect()
}

/// A picture as a data URL; `None` for what the model cannot see.
async fn image(file: &Attachment, left: &mut usize) -> Option<String> {
    if file.kind != MediaKind::Image || file.size > MAX_IMAGE_BYTES || *left == 0 {
        return None;
    }
    let bytes = file.read().await.ok()?;
    *left -= 1;
    Some(format!("data:{};base64,{}", file.content_type, STANDARD.encode(bytes)))
}

fn note(words: &mut String, file: &Attachment) {
    if !words.is_empty() {
        words.push('\n');
    }
    words.push_str("[the person sent a file: ");
    words.push_str(&file.content_type);
    words.push(']');
}
