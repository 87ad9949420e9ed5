//! `/Messages.json`, `/Messages/{SM}.json`, and feedback on a message.

use axum::extract::State;
use serde_json::json;

use super::super::moment::{day, moment};
use super::super::{Reply, created, deleted, ok};
use super::pages::MAX_PAGE;
use super::{Call, Form, name, render};
use crate::clock::rfc2822;
use crate::error::{self, ApiError};
use crate::messaging;
use crate::rest::pages::PageRequest;
use crate::server::App;
use crate::state::limits;
use crate::state::messaging::{ChannelMessageFields, ChannelMessageFilter};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let filter = filter(&call.query)?;
    let listed = app.owner.call(move |state| state.list_channel_messages(&filter, page.size, page.cursor));
    let slice = listed.await?;
    Ok(ok(page.flat_body(&call, "messages", slice, |message| render::message(&app.account, &message))))
}

pub(super) async fn create(State(app): State<App>, form: Form) -> Reply {
    let urls = form.all("MediaUrl").unwrap_or_default();
    if urls.len() > limits::MAX_MEDIA_PER_MESSAGE {
        return Err(error::TOO_MANY_FILES.into());
    }
    for url in &urls {
        limits::check_url(url).map_err(|_| error::MEDIA_URL)?;
    }
    let fields = ChannelMessageFields {
        to: form.owned("To"),
        from: form.owned("From"),
        messaging_service_sid: form.owned("MessagingServiceSid").filter(|sid| !sid.is_empty()),
        body: form.owned("Body"),
        media: messaging::fetch_files(&app.sender, &urls).await,
        content_sid: form.owned("ContentSid").filter(|sid| !sid.is_empty()),
        content_variables: form.owned("ContentVariables"),
        status_callback: form.owned("StatusCallback").filter(|url| !url.is_empty()),
        schedule_type: form.owned("ScheduleType"),
        send_at: form.date("SendAt")?,
        validity_period: form.number("ValidityPeriod")?,
        smart_encoded: form.boolean("SmartEncoded")?.unwrap_or_default(),
        is_reply: false,
    };
    let message = app.owner.call(move |state| state.create_channel_message(fields)).await??;
    Ok(created(render::message(&app.account, &message)))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "message");
    let message = app.owner.call(move |state| state.channel_message(&sid).cloned()).await??;
    Ok(ok(render::message(&app.account, &message)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let sid = name(&call, "message");
    let (body, status) = (form.owned("Body"), form.owned("Status"));
    let change =
        move |state: &mut crate::state::State| state.update_channel_message(&sid, body.as_deref(), status.as_deref());
    let message = app.owner.call(change).await??;
    Ok(ok(render::message(&app.account, &message)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "message");
    app.owner.call(move |state| state.delete_channel_message(&sid)).await??;
    Ok(deleted())
}

pub(super) async fn feedback(State(app): State<App>, call: Call, form: Form) -> Reply {
    let sid = name(&call, "message");
    let outcome = form.owned("Outcome").unwrap_or_else(|| CONFIRMED.to_owned());
    if ![CONFIRMED, "unconfirmed"].contains(&outcome.as_str()) {
        return Err(ApiError::parameter("Outcome").into());
    }
    let message = app.owner.call(move |state| state.set_feedback(&sid, outcome)).await??;
    let account = app.account.account_sid;
    Ok(ok(json!({
        "account_sid": account,
        "message_sid": message.sid,
        "outcome": message.feedback,
        "date_created": rfc2822(message.date_updated),
        "date_updated": rfc2822(message.date_updated),
        "uri": format!("/2010-04-01/Accounts/{account}/Messages/{}/Feedback.json", message.sid),
    })))
}

fn filter(query: &Form) -> Result<ChannelMessageFilter, ApiError> {
    let moment = |name: &'static str, end: bool| query.text(name).map(|text| moment(text, name, end)).transpose();
    let day = query.text("DateSent").map(|text| day(text, "DateSent")).transpose()?;
    let since = moment("DateSent>", false)?.or(day.map(|(from, _)| from));
    let until = moment("DateSent<", true)?.or(day.map(|(_, until)| until));
    Ok(ChannelMessageFilter { to: query.owned("To"), from: query.owned("From"), since, until })
}

const CONFIRMED: &str = "confirmed";
