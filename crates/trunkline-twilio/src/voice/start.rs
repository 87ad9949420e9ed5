//! Start: are the credentials good, is Twilio there, do calls come here?

use trunkline_core::voice::{ErrorCode, Operation, VoiceError};
use trunkline_proto::calls::IncomingPhoneNumber;

use super::failure::failed;
use super::paths::{self, Places};
use super::settings::Settings;
use crate::rest::calls::{Calls, NumberUpdate};

/// What was found where the number's calls go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberRegistration {
    /// No `webhook_url` is set.
    NotWanted,
    /// They come here already.
    Kept,
    /// They went nowhere; now they come here.
    Made,
    /// They went elsewhere; now they come here.
    Taken,
}

/// Points the number's calls at us, unless they come already.
pub(super) async fn register_number(
    calls: &Calls,
    operation: Operation,
    settings: &Settings,
) -> Result<NumberRegistration, VoiceError> {
    let Some(places) = &settings.places else { return Ok(NumberRegistration::NotWanted) };
    let found = calls.find_number(settings.phone_number.as_str()).await.map_err(|error| failed(operation, error))?;
    let Some(present) = found else {
        let message = "phone_number is not a number of the account";
        return Err(VoiceError::new(operation, ErrorCode::InvalidConfig, message));
    };
    if present.trunk_sid.is_some() || present.voice_application_sid.is_some() {
        tracing::warn!("the number has a trunk or an application, which answers its calls before webhook_url does");
    }
    if is_registered(&present, places) {
        return Ok(NumberRegistration::Kept);
    }
    calls.update_number(present.sid, &wanted(places)).await.map_err(|error| failed(operation, error))?;
    tracing::info!("the number's calls were pointed here");
    let before = present.voice_url.as_deref().unwrap_or_default();
    let is_free = before.is_empty() || before == places.of(paths::VOICE);
    Ok(if is_free { NumberRegistration::Made } else { NumberRegistration::Taken })
}

fn wanted(places: &Places) -> NumberUpdate {
    NumberUpdate { voice_url: places.of(paths::VOICE), status_callback: places.of(paths::STATUS) }
}

/// Whether the number's calls, and how they end, come here.
pub(super) fn is_registered(present: &IncomingPhoneNumber, places: &Places) -> bool {
    let wanted = wanted(places);
    let is_post = |method: &Option<String>| method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case("POST"));
    present.voice_url.as_deref() == Some(wanted.voice_url.as_str())
        && present.status_callback.as_deref() == Some(wanted.status_callback.as_str())
        && is_post(&present.voice_method)
        && is_post(&present.status_callback_method)
}
