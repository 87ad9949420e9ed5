//! Facts out: leased deliveries, and what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use trunkline_core::Envelope;
use trunkline_store::Answer;

use super::consumers::{Borrowed, DeliveryId, MAX_LEASE, Settlement};
use super::failure::Failure;
use super::{BusApi, MAX_WAIT};
use crate::pipeline::record_text;

/// Deliveries of one answer.
const MAX_PAGE: usize = 100;
const DEFAULT_PAGE: usize = 10;
/// An answer is not filled further once its envelopes have this many bytes.
const MAX_PAGE_BYTES: usize = 4 << 20;
/// Even who does not want to wait has the bus looked into, which takes a moment.
const LOOK: Duration = Duration::from_millis(250);
const DEFAULT_LEASE: Duration = Duration::from_mins(1);
const MIN_LEASE: Duration = Duration::from_millis(100);
/// The longest name of a consumer, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Deliveries that one request may settle.
const MAX_SETTLED: usize = 500;
/// The longest that a delivery may be put off.
const MAX_DELAY: Duration = Duration::from_hours(1);
/// The wait of a delivery that could not be recorded.
const STORE_WAIT: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Poll {
    consumer: String,
    limit: Option<usize>,
    wait_ms: Option<u64>,
    lease_ms: Option<u64>,
}

/// What is in the hands of who asked.
#[derive(Serialize)]
pub(super) struct Page {
    deliveries: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    /// For the acknowledgement.
    delivery: DeliveryId,
    /// 1 the first time.
    attempt: u32,
    /// Of a text: whether it waits for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'static str>,
    envelope: Envelope,
}

/// What becomes of deliveries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settle {
    #[serde(default)]
    ack: Vec<DeliveryId>,
    #[serde(default)]
    nack: Vec<Nack>,
    #[serde(default)]
    extend: Vec<DeliveryId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nack {
    delivery: DeliveryId,
    #[serde(default)]
    delay_ms: u64,
}

#[derive(Serialize)]
pub(super) struct Settled {
    /// Not in anybody's hands any more: settled before, or the lease was over, and they come again.
    gone: Vec<DeliveryId>,
}

/// `GET /api/v1/bus/ingress`: waits for facts, and leases them.
pub(super) async fn poll(
    State(api): State<Arc<BusApi>>,
    poll: Result<Query<Poll>, QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let Query(poll) = poll.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    let name = name(&poll.consumer)?;
    let limit = poll.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let wait = Duration::from_millis(poll.wait_ms.unwrap_or_default()).clamp(LOOK, MAX_WAIT);
    let lease = poll.lease_ms.map_or(DEFAULT_LEASE, Duration::from_millis).clamp(MIN_LEASE, MAX_LEASE);
    let mut consumer = api.consumers.borrow(name).await?;
    tokio::select! {
        page = fill(&api, &mut consumer, limit, wait, lease) => page.map(Json),
        // Nobody waits for a gateway that stops; what was leased already comes again to the next one.
        () = api.readiness.until_stopping() => Ok(Json(Page { deliveries: Vec::new() })),
    }
}

async fn fill(
    api: &BusApi,
    consumer: &mut Borrowed<'_>,
    limit: usize,
    wait: Duration,
    lease: Duration,
) -> Result<Page, Failure> {
    let mut by = Instant::now() + wait;
    let (mut deliveries, mut bytes) = (Vec::new(), 0);
    while deliveries.len() < limit && bytes < MAX_PAGE_BYTES {
        match next(api, consumer, by, lease).await {
            Ok(Some(item)) => {
                bytes += item.envelope.to_json()?.len();
                deliveries.push(item);
            }
            Ok(None) => break,
            // What is leased already is not held back for the sake of the rest.
            Err(_) if !deliveries.is_empty() => break,
            Err(failure) => return Err(failure),
        }
        // Only what is there already joins the first.
        by = Instant::now();
    }
    Ok(Page { deliveries })
}

/// The next delivery, leased. A text is recorded before anybody outside hears of it: then they can answer it at once.
async fn next(
    api: &BusApi,
    consumer: &mut Borrowed<'_>,
    by: Instant,
    lease: Duration,
) -> Result<Option<Item>, Failure> {
    let Some(delivery) = consumer.next(by).await? else { return Ok(None) };
    let (envelope, attempt) = (delivery.envelope.clone(), delivery.attempt);
    let answer = match record_text(&api.context, &envelope).await {
        Ok(answer) => answer.map(Answer::as_str),
        Err(error) => {
            delivery.nak(STORE_WAIT).await?;
            return Err(error.into());
        }
    };
    Ok(Some(Item { delivery: consumer.lease(delivery, lease), attempt, answer, envelope }))
}

/// `POST /api/v1/bus/ack`: done, not now, or still at work.
pub(super) async fn settle(
    State(api): State<Arc<BusApi>>,
    settle: Result<Json<Settle>, JsonRejection>,
) -> Result<Json<Settled>, Failure> {
    let Json(Settle { ack, nack, extend }) = settle.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    if ack.len() + nack.len() + extend.len() > MAX_SETTLED {
        return Err(Failure::bad(format!("more than {MAX_SETTLED} deliveries; settle the rest by another request")));
    }
    let nack = nack.into_iter().map(|Nack { delivery, delay_ms }| {
        (delivery, Settlement::Nack(Duration::from_millis(delay_ms).min(MAX_DELAY)))
    });
    let all = ack.into_iter().map(|id| (id, Settlement::Ack)).chain(nack);
    let mut gone = Vec::new();
    for (id, settlement) in all.chain(extend.into_iter().map(|id| (id, Settlement::Extend))) {
        if !api.consumers.settle(&id, settlement).await? {
            gone.push(id);
        }
    }
    Ok(Json(Settled { gone }))
}

/// `DELETE /api/v1/bus/consumers/{name}`: nothing is kept for it any more.
pub(super) async fn forget(
    State(api): State<Arc<BusApi>>,
    Path(consumer): Path<String>,
) -> Result<StatusCode, Failure> {
    api.consumers.forget(name(&consumer)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn name(text: &str) -> Result<&str, Failure> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.bytes().all(is_fine) {
        return Err(Failure::bad(format!("consumer: must be 1 to {MAX_NAME_BYTES} letters, digits, - and _")));
    }
    Ok(text)
}
