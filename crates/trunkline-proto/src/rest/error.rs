//! What Twilio answers when it refuses: the shape that v1 has had since ever, or RFC 9457.
//!
//! The texts of an answer may contain phone numbers and SIDs: they are for people who read the answer itself, never for
//! logs. What a program needs is [`ApiError::code`].

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A refusal. The second shape is recognised as the official SDK does, by having all of `type`, `title`, `status` and
/// `code`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ApiError {
    /// RFC 9457.
    Problem(ProblemDetails),
    /// The classic shape.
    Classic(ClassicError),
}

impl ApiError {
    /// Twilio's numeric code, for example 20404 or 50433.
    pub fn code(&self) -> u32 {
        match self {
            Self::Problem(problem) => problem.code,
            Self::Classic(classic) => classic.code,
        }
    }

    /// The HTTP status that the body repeats.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Classic(classic) => classic.status,
        }
    }
}

/// Numbers only: the texts may be personal.
impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError").field("code", &self.code()).field("status", &self.status()).finish_non_exhaustive()
    }
}

/// The classic shape of a refusal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassicError {
    /// Twilio's numeric code.
    pub code: u32,
    /// A text for people.
    #[serde(default)]
    pub message: Option<String>,
    /// Where the code is explained.
    #[serde(default)]
    pub more_info: Option<String>,
    /// The HTTP status.
    #[serde(default)]
    pub status: Option<u16>,
    /// More, in a shape that depends on the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// The shape of RFC 9457.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemDetails {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short text for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Twilio's numeric code.
    pub code: u32,
    /// A longer text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What is wrong in the request, each with `detail` and `pointer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Value>,
}

impl fmt::Debug for ClassicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassicError").field("code", &self.code).field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for ProblemDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProblemDetails").field("code", &self.code).field("status", &self.status).finish_non_exhaustive()
    }
}
