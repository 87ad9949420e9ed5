//! `/ParticipantConversations`: the conversations of one participant, by identity or by address.

use axum::extract::State;
use serde_json::{Value, json};

use super::call::Call;
use super::pages::PageRequest;
use super::{Reply, ok, render};
use crate::account::Account;
use crate::clock::iso;
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::{Participation, Who};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let given = |name: &str| call.query.owned(name).filter(|text| !text.is_empty());
    let who = match (given("Identity"), given("Address")) {
        (Some(_), Some(_)) => return Err(error::IDENTITY_OR_ADDRESS.into()),
        (Some(identity), None) => Who::Identity(identity),
        (None, Some(address)) => Who::Address(address),
        (None, None) => return Err(ApiError::parameter("Identity or Address").into()),
    };
    let service = call.service;
    let listed = app.owner.call(move |state| state.list_participations(service, &who, page.size, page.cursor));
    let slice = listed.await?;
    let base = call.base();
    Ok(ok(page.body(&call, "conversations", slice, |one| row(&app.account, &base, &one))))
}

fn row(account: &Account, base: &str, one: &Participation) -> Value {
    let Participation { record, participant, user_sid } = one;
    let conversation = format!("{base}/Conversations/{}", record.sid);
    json!({
        "account_sid": account.account_sid,
        "chat_service_sid": record.service_sid,
        "participant_sid": participant.sid,
        "participant_user_sid": user_sid,
        "participant_identity": participant.identity,
        "participant_messaging_binding": render::binding(participant),
        "conversation_sid": record.sid,
        "conversation_unique_name": record.unique_name,
        "conversation_friendly_name": record.friendly_name,
        "conversation_attributes": record.attributes,
        "conversation_date_created": iso(record.date_created),
        "conversation_date_updated": iso(record.date_updated),
        "conversation_created_by": record.created_by.as_deref().unwrap_or("system"),
        "conversation_state": record.state.as_str(),
        "conversation_timers": render::timers(record),
        "links": {
            "participant": format!("{conversation}/Participants/{}", participant.sid),
            "conversation": conversation,
        },
    })
}

const MAX_PAGE: usize = 50;
