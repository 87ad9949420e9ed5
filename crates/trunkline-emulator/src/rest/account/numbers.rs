//! `/IncomingPhoneNumbers`: the account's numbers, and what answers them.

use axum::extract::State;

use super::super::{Reply, created, deleted, ok};
use super::pages::MAX_PAGE;
use super::{Call, Form, method, name, render};
use crate::error::ApiError;
use crate::rest::pages::PageRequest;
use crate::server::App;
use crate::state::calls::NumberFields;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let number = call.query.owned("PhoneNumber");
    let slice = app.owner.call(move |state| state.list_numbers(number.as_deref(), page.size, page.cursor)).await?;
    Ok(ok(page.flat_body(&call, "incoming_phone_numbers", slice, |record| render::number(&app.account, &record))))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "number");
    let record = app.owner.call(move |state| state.number(&sid).cloned()).await??;
    Ok(ok(render::number(&app.account, &record)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let (sid, fields) = (name(&call, "number"), fields(&form)?);
    let change = move |state: &mut crate::state::State| {
        let number = state.number(&sid)?.number.clone();
        state.put_number(&number, fields)
    };
    let record = app.owner.call(change).await??;
    Ok(ok(render::number(&app.account, &record)))
}

/// Gives the account another number: any that is asked for, or one with the area code, or some other.
pub(super) async fn create(State(app): State<App>, form: Form) -> Reply {
    let fields = fields(&form)?;
    let made_up = || {
        let area = form.text("AreaCode").filter(|code| code.len() == 3).unwrap_or(MADE_UP_AREA);
        format!("+1{area}{:07}", rand::random_range(0..10_000_000_u32))
    };
    let number = form.owned("PhoneNumber").unwrap_or_else(made_up);
    let record = app.owner.call(move |state| state.buy_number(&number, fields)).await??;
    Ok(created(render::number(&app.account, &record)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "number");
    app.owner.call(move |state| state.remove_number(&sid)).await??;
    Ok(deleted())
}

fn fields(form: &Form) -> Result<NumberFields, ApiError> {
    Ok(NumberFields {
        friendly_name: form.owned("FriendlyName"),
        voice_url: form.owned("VoiceUrl"),
        voice_method: method(form, "VoiceMethod")?,
        voice_fallback_url: form.owned("VoiceFallbackUrl"),
        voice_fallback_method: method(form, "VoiceFallbackMethod")?,
        status_callback: form.owned("StatusCallback"),
        status_callback_method: method(form, "StatusCallbackMethod")?,
        sms_url: form.owned("SmsUrl"),
        sms_method: method(form, "SmsMethod")?,
        sms_fallback_url: form.owned("SmsFallbackUrl"),
        sms_fallback_method: method(form, "SmsFallbackMethod")?,
    })
}

/// No North American area code, so no real telephone has such a number.
const MADE_UP_AREA: &str = "555";
