//! `/Conversations` and `/Conversations/{CH or unique name}`.

use axum::extract::State;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render, unexpected};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::records::ConversationState;
use crate::state::{Answer, ConversationFields, ConversationFilter, Mutation};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let filter = filter(&call.query)?;
    let slice = app.owner.call(move |state| state.list_conversations(&filter, page.size, page.cursor)).await?;
    let base = call.base();
    let body = page.body(&call, "conversations", slice, |record| render::conversation(&app.account, &base, &record));
    Ok(ok(body))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    match app.mutate(Mutation::CreateConversation(fields(&form)?), call.origin).await? {
        Answer::Conversation(record) => Ok(created(render::conversation(&app.account, &call.base(), &record))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let name = call.owned("conversation");
    let record = app.owner.call(move |state| state.conversation(&name).map(|one| one.record.clone())).await??;
    Ok(ok(render::conversation(&app.account, &call.base(), &record)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let mutation = Mutation::UpdateConversation { conversation: call.owned("conversation"), fields: fields(&form)? };
    match app.mutate(mutation, call.origin).await? {
        Answer::Conversation(record) => Ok(ok(render::conversation(&app.account, &call.base(), &record))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    app.mutate(Mutation::DeleteConversation { conversation: call.owned("conversation") }, call.origin).await?;
    Ok(deleted())
}

fn fields(form: &Form) -> Result<ConversationFields, ApiError> {
    Ok(ConversationFields {
        friendly_name: form.owned("FriendlyName"),
        unique_name: form.owned("UniqueName"),
        attributes: form.owned("Attributes"),
        messaging_service_sid: form.owned("MessagingServiceSid"),
        state: form.owned("State"),
        inactive_timer: form.owned("Timers.Inactive"),
        closed_timer: form.owned("Timers.Closed"),
        date_created: form.date("DateCreated")?,
        date_updated: form.date("DateUpdated")?,
    })
}

fn filter(query: &Form) -> Result<ConversationFilter, ApiError> {
    let state = query.text("State").map(|text| ConversationState::parse(text).ok_or(error::STATE)).transpose()?;
    let from = query.text("StartDate").map(|text| moment(text, "StartDate", false)).transpose()?;
    let until = query.text("EndDate").map(|text| moment(text, "EndDate", true)).transpose()?;
    Ok(ConversationFilter { state, from, until })
}

/// A date or a time. The end of a range includes the whole day, or the very second, that it names.
fn moment(text: &str, parameter: &'static str, end: bool) -> Result<Timestamp, ApiError> {
    let wrong = |_| ApiError::parameter(parameter);
    if let Ok(at) = text.parse::<Timestamp>() {
        return if end { at.checked_add(1.second()).map_err(wrong) } else { Ok(at) };
    }
    let day: Date = text.parse().map_err(wrong)?;
    let day = if end { day.tomorrow().map_err(wrong)? } else { day };
    day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(wrong)
}

const MAX_PAGE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_take_days_and_times() {
        let check = |text: &str, end: bool, expect: &str| {
            assert_eq!(moment(text, "StartDate", end).unwrap(), expect.parse::<Timestamp>().unwrap(), "{text}");
        };
        check("2026-11-21", false, "2026-11-21T00:00:00Z");
        check("2026-11-21", true, "2026-11-22T00:00:00Z");
        check("2026-11-21T02:06:51Z", false, "2026-11-21T02:06:51Z");
        check("2026-11-21T02:06:51Z", true, "2026-11-21T02:06:52Z");
        assert_eq!(moment("yesterday", "EndDate", true), Err(ApiError::parameter("EndDate")));
    }
}
