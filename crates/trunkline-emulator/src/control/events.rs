//! `GET /emulator/v1/phones/{address}/events`: server-sent events of one phone.
//!
//! A watcher that falls behind is disconnected: it reconnects and reads the list, so nothing is missed unnoticed.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;

use super::phones::line;
use crate::server::App;

pub(super) async fn watch(
    State(app): State<App>,
    Path(address): Path<String>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stop = app.stop.clone();
    let lines = BroadcastStream::new(app.phones.subscribe())
        .take_while(|update| std::future::ready(update.is_ok()))
        .filter_map(move |update| {
            let own = update.ok().filter(|(phone, _)| *phone == address);
            let event = own.map(|(_, message)| Event::default().event("message").data(line(&message).to_string()));
            std::future::ready(event.map(Ok))
        })
        .take_until(stop.cancelled_owned());
    Sse::new(lines).keep_alive(KeepAlive::default())
}
