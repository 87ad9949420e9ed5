//! `/Calls`: fetch, list, redirect, end, delete, and what was noted about a call.

use axum::extract::State;
use jiff::civil::Date;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::super::{Reply, deleted, ok};
use super::pages::MAX_PAGE;
use super::{Call, Form, create, name, render, target};
use crate::error::{self, ApiError};
use crate::rest::pages::PageRequest;
use crate::server::App;
use crate::state::calls::CallFilter;
use crate::state::calls::records::CallStatus;
use crate::state::paging::Slice;
use crate::telephone::plane::{HungUpBy, Phase};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let filter = filter(&call.query)?;
    let slice = app.owner.call(move |state| state.list_calls(&filter, page.size, page.cursor)).await?;
    Ok(ok(page.flat_body(&call, "calls", slice, |record| render::call(&app.account, &record))))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "call");
    let record = app.owner.call(move |state| state.call(&sid).cloned()).await??;
    Ok(ok(render::call(&app.account, &record)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let sid = name(&call, "call");
    let wanted = sid.clone();
    let record = app.owner.call(move |state| state.call(&wanted).cloned()).await??;
    let leg = app.exchange.live(&sid).filter(|_| !record.status.is_over()).ok_or(error::CALL_NOT_IN_PROGRESS)?;
    if form.text("Url").is_some_and(|url| !url.is_empty()) && form.text("Twiml").is_some() {
        return Err(ApiError::parameter("Url and Twiml exclude each other").into());
    }
    let document = create::document(&form)?;
    let phase = leg.plane().phase;
    if document.is_some() && phase != Phase::Talking {
        return Err(error::CALL_NOT_IN_PROGRESS.into());
    }
    if let Some(target) = target(&form, "StatusCallback", "StatusCallbackMethod")? {
        leg.set_callback(target);
    }
    if form.text("FallbackUrl").is_some() {
        leg.set_fallback(target(&form, "FallbackUrl", "FallbackMethod")?);
    }
    if let Some(limit) = create::time_limit(&form)? {
        // It counts from the answer, like the one that a call is made with.
        leg.change(|plane| plane.limit = Some(limit));
    }
    let ends = match form.text("Status") {
        None => false,
        Some("completed") => true,
        // A call that was answered is not canceled any more; it goes on.
        Some("canceled") => phase == Phase::Ringing,
        Some(_) => return Err(ApiError::parameter("Status").into()),
    };
    if ends {
        leg.hang_up(HungUpBy::Rest);
        // What was asked for shows in the answer, unless the end takes its time.
        let over = leg.until_even_after(|plane| matches!(plane.phase, Phase::Over(_)).then_some(()));
        let _ended = tokio::time::timeout(PATIENCE, over).await.is_ok();
    } else if let Some(document) = document {
        leg.redirect(document);
    }
    let record = app.owner.call(move |state| state.call(&sid).cloned()).await??;
    Ok(ok(render::call(&app.account, &record)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let sid = name(&call, "call");
    app.owner.call(move |state| state.delete_call(&sid)).await??;
    Ok(deleted())
}

pub(super) async fn notifications(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let sid = call.owned("call");
    let record = app.owner.call(move |state| state.call(&sid).cloned()).await??;
    let wanted: Option<u8> = call.query.number("Log")?;
    let shown = record.notifications.iter().rev().filter(|one| wanted.is_none_or(|level| level == one.level));
    // There are at most a hundred: the newest are shown, and nobody needs a second page of them.
    let slice = Slice { items: shown.take(page.size).collect(), next: None, previous: None };
    Ok(ok(page.flat_body(&call, "notifications", slice, |one| render::notification(&app.account, &record, one))))
}

fn filter(query: &Form) -> Result<CallFilter, ApiError> {
    let status = query.text("Status");
    let status = status.map(|text| CallStatus::parse(text).ok_or_else(|| ApiError::parameter("Status")));
    Ok(CallFilter {
        to: query.owned("To"),
        from: query.owned("From"),
        parent: query.owned("ParentCallSid"),
        status: status.transpose()?,
        started: range(query, "StartTime", "StartTime<", "StartTime>")?,
        ended: range(query, "EndTime", "EndTime<", "EndTime>")?,
    })
}

type Range = (Option<Timestamp>, Option<Timestamp>);

/// A day, or from and until a moment.
fn range(query: &Form, on: &'static str, before: &'static str, after: &'static str) -> Result<Range, ApiError> {
    if let Some(text) = query.text(on) {
        let (from, is_day) = moment(text, on)?;
        let until = if is_day { from.checked_add(24.hours()) } else { from.checked_add(1.second()) };
        return Ok((Some(from), Some(until.map_err(|_| ApiError::parameter(on))?)));
    }
    let from = query.text(after).map(|text| moment(text, after)).transpose()?.map(|(at, _)| at);
    let until = match query.text(before).map(|text| moment(text, before)).transpose()? {
        // Up to a day includes it.
        Some((at, true)) => Some(at.checked_add(24.hours()).map_err(|_| ApiError::parameter(before))?),
        Some((at, false)) => Some(at),
        None => None,
    };
    Ok((from, until))
}

/// A date or a time, and whether it is a date.
fn moment(text: &str, parameter: &'static str) -> Result<(Timestamp, bool), ApiError> {
    let wrong = |_| ApiError::parameter(parameter);
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok((at, false));
    }
    if let Ok(at) = rfc2822::parse(text) {
        return Ok((at.timestamp(), false));
    }
    let day: Date = text.parse().map_err(wrong)?;
    day.to_zoned(TimeZone::UTC).map(|zoned| (zoned.timestamp(), true)).map_err(wrong)
}

/// How long the answer to an end waits for it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(4);
