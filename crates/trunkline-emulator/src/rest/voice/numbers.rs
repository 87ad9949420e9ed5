//! `/IncomingPhoneNumbers`: the account's numbers, and what answers them.

use axum::extract::State;

use super::super::{Reply, ok};
use super::pages::PageRequest;
use super::{Call, Form, method, name, render};
use crate::server::App;
use crate::state::calls::NumberFields;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call)?;
    let number = call.query.owned("PhoneNumber");
    let slice = app.owner.call(move |state| state.list_numbers(number.as_deref(), page.size, page.cursor)).await?;
    Ok(ok(page.body(&call, "incoming_phone_numbers", slice, |record| render::number(&app.account, &record))))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "number");
    let record = app.owner.call(move |state| state.number(&sid).cloned()).await??;
    Ok(ok(render::number(&app.account, &record)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let sid = name(&call, "number");
    let fields = NumberFields {
        friendly_name: form.owned("FriendlyName"),
        voice_url: form.owned("VoiceUrl"),
        voice_method: method(&form, "VoiceMethod")?,
        voice_fallback_url: form.owned("VoiceFallbackUrl"),
        voice_fallback_method: method(&form, "VoiceFallbackMethod")?,
        status_callback: form.owned("StatusCallback"),
        status_callback_method: method(&form, "StatusCallbackMethod")?,
    };
    let change = move |state: &mut crate::state::State| {
        let number = state.number(&sid)?.number.clone();
        state.put_number(&number, fields)
    };
    let record = app.owner.call(change).await??;
    Ok(ok(render::number(&app.account, &record)))
}
