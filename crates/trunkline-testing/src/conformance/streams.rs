//! Streams of messages: order, ends, slow receivers.

use trunkline_core::messaging::{ConversationConfig, ErrorCode, MessageStream, Operation};

use super::Subject;
use super::checks::{Ended, done, ensure, next, refused, running, with_person, with_room};

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("number {number}")).collect()
}

/// Reads as many messages as there are texts: those, in this order, each with a higher index.
async fn hear(stream: &mut MessageStream, texts: &[String]) -> Ended {
    let mut last = None;
    for text in texts {
        let message = next(stream).await?.ok_or_else(|| format!("the stream ended before {text:?}"))?;
        let body = message.body.expose();
        ensure(body == text, || format!("{body:?} came where {text:?} was due"))?;
        ensure(last.is_none_or(|last| last < message.index), || format!("index {} follows {last:?}", message.index))?;
        last = Some(message.index);
    }
    Ok(())
}

/// Reads to the end, and what came until then.
async fn rest(stream: &mut MessageStream) -> Result<Vec<String>, String> {
    let mut bodies = Vec::new();
    while let Some(message) = next(stream).await? {
        bodies.push(message.body.into_inner());
    }
    Ok(bodies)
}

pub(super) async fn what_a_person_says_arrives_in_order(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let mut stream = done(backend.receive_messages(&id).await)?;
    let texts = texts(10);
    for text in &texts {
        subject.person_says(&id, text).await;
    }
    hear(&mut stream, &texts).await
}

pub(super) async fn every_stream_has_every_message(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let mut one = done(backend.receive_messages(&id).await)?;
    let mut two = done(backend.receive_messages(&id).await)?;
    drop(done(backend.receive_messages(&id).await)?);
    let texts = texts(3);
    for text in &texts {
        subject.person_says(&id, text).await;
    }
    hear(&mut one, &texts).await?;
    hear(&mut two, &texts).await
}

pub(super) async fn a_stream_hears_of_no_other_conversation(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let other = done(backend.create_conversation(ConversationConfig::default()).await)?.id;
    let mut mine = done(backend.receive_messages(&id).await)?;
    let mut theirs = done(backend.receive_messages(&other).await)?;
    subject.person_says(&id, "for one only").await;
    hear(&mut mine, &["for one only".to_owned()]).await?;
    done(backend.close_conversation(&other).await)?;
    let heard = rest(&mut theirs).await?;
    ensure(heard.is_empty(), || format!("it heard {heard:?}"))
}

pub(super) async fn streams_end_when_the_conversation_closes(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let mut streams = [done(backend.receive_messages(&id).await)?, done(backend.receive_messages(&id).await)?];
    subject.person_says(&id, "the last word").await;
    let [first, second] = &mut streams;
    // The first has it, so it is in the buffer of the second.
    hear(first, &["the last word".to_owned()]).await?;
    done(backend.close_conversation(&id).await)?;
    let heard = [rest(first).await?, rest(second).await?];
    let due = [Vec::new(), vec!["the last word".to_owned()]];
    ensure(heard == due, || format!("before the end {heard:?} came"))
}

pub(super) async fn streams_end_at_a_stop(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    let mut stream = done(backend.receive_messages(&id).await)?;
    done(backend.stop().await)?;
    let heard = rest(&mut stream).await?;
    ensure(heard.is_empty(), || format!("before the end {heard:?} came"))
}

/// Whoever is too slow may lose the stream. What came until then has no gap, and nobody else waits.
pub(super) async fn a_slow_receiver_loses_nothing_in_silence(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let mut slow = done(backend.receive_messages(&id).await)?;
    let mut quick = done(backend.receive_messages(&id).await)?;
    let texts = texts(subject.flood());
    for text in &texts {
        subject.person_says(&id, text).await;
        hear(&mut quick, std::slice::from_ref(text)).await?;
    }
    done(backend.close_conversation(&id).await)?;
    let heard = rest(&mut slow).await?;
    let is_whole = !heard.is_empty() && texts.starts_with(&heard);
    ensure(is_whole, || format!("{} messages came, not the first ones without a gap", heard.len()))
}

pub(super) async fn no_stream_of_what_is_unknown_or_closed(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    let (unknown, _) = subject.unknown();
    let result = backend.receive_messages(&unknown).await;
    refused(result, Operation::ReceiveMessages, ErrorCode::ConversationNotFound)?;
    done(backend.close_conversation(&id).await)?;
    refused(backend.receive_messages(&id).await, Operation::ReceiveMessages, ErrorCode::ChannelFailed)
}

pub(super) async fn health_counts_live_conversations(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let mut rooms = Vec::new();
    for _ in 0..2 {
        rooms.push(done(backend.create_conversation(ConversationConfig::default()).await)?.id);
    }
    let count = async || done(backend.health_check().await).map(|status| status.active_conversations);
    let mut streams = Vec::new();
    for id in &rooms {
        streams.push(done(backend.receive_messages(id).await)?);
    }
    let live = count().await?;
    ensure(live == 2, || format!("{live} conversations are live, not 2"))?;
    if let Some(first) = rooms.first() {
        done(backend.close_conversation(first).await)?;
    }
    let live = count().await?;
    ensure(live == 1, || format!("one was closed, {live} are live"))?;
    drop(streams);
    let live = count().await?;
    ensure(live == 0, || format!("nobody receives, {live} are live"))
}
