//! One dialogue over a socket.

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message as Frame, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use trunkline_core::Pii;

use super::NAME;
use super::message::{self, Event, Opening};
use super::replies::Replies;
use crate::SpeechError;
use crate::dialogue::{DialogueEvent, Order};
use crate::live::AudioSource;
use crate::provider::socket::Socket;

type Events = mpsc::Sender<Result<DialogueEvent, SpeechError>>;

/// Agrees on the session. No sound goes out before: the server would take it for something else than μ-law.
pub(super) async fn open(socket: &mut Socket, opening: Opening) -> Result<Replies, SpeechError> {
    socket.send(Frame::text(opening.session)).await?;
    loop {
        let text = socket.receive().await?;
        match read(socket, &text)? {
            Event::Updated => break,
            Event::Error { error } => return Err(error.into_error(400)),
            _ => {}
        }
    }
    for message in opening.before {
        socket.send(Frame::text(message)).await?;
    }
    let mut replies = Replies::default();
    if opening.greets && replies.want() {
        socket.send(Frame::text(message::create_response())).await?;
    }
    Ok(replies)
}

pub(super) async fn run(
    socket: Socket,
    replies: Replies,
    source: AudioSource,
    orders: mpsc::Receiver<Order>,
    events: Events,
    stop: CancellationToken,
) {
    let mut session = Session { socket, replies };
    let outcome = tokio::select! {
        outcome = session.run(source, orders, &events) => outcome,
        () = stop.cancelled() => Ok(()),
    };
    if let Err(error) = outcome {
        tokio::select! {
            // Nobody listens any more when the call has ended.
            _ = events.send(Err(error)) => {}
            () = stop.cancelled() => {}
        }
    }
    drop(events);
    session.socket.close(None).await;
}

struct Session {
    socket: Socket,
    replies: Replies,
}

impl Session {
    async fn run(
        &mut self,
        mut source: AudioSource,
        mut orders: mpsc::Receiver<Order>,
        events: &Events,
    ) -> Result<(), SpeechError> {
        loop {
            tokio::select! {
                frame = source.next() => {
                    let Some(frame) = frame else { return Ok(()) };
                    let mut audio = frame.to_vec();
                    source.take(&mut audio);
                    self.say(message::append(&audio)).await?;
                }
                order = orders.recv() => {
                    let Some(order) = order else { return Ok(()) };
                    self.obey(order).await?;
                }
                text = self.socket.receive() => {
                    let event = read(&self.socket, &text?)?;
                    if let Some(event) = self.take(event).await?
                        && events.send(Ok(event)).await.is_err()
                    {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn say(&mut self, message: String) -> Result<(), SpeechError> {
        self.socket.send(Frame::text(message)).await
    }

    async fn obey(&mut self, order: Order) -> Result<(), SpeechError> {
        match order {
            Order::Cancel => self.cancel().await,
            Order::Truncate { item, heard } => match self.replies.cut(&item, heard) {
                Some((content_index, heard)) => self.say(message::truncate(&item, content_index, heard)).await,
                None => Ok(()),
            },
            Order::Say(text) => {
                self.say(message::item(true, text.expose())).await?;
                // What is said by writing interrupts, as what is spoken does.
                self.cancel().await?;
                if self.replies.want() { self.say(message::create_response()).await } else { Ok(()) }
            }
        }
    }

    async fn cancel(&mut self) -> Result<(), SpeechError> {
        if self.replies.cancel() { self.say(message::cancel()).await } else { Ok(()) }
    }

    async fn take(&mut self, event: Event) -> Result<Option<DialogueEvent>, SpeechError> {
        Ok(match event {
            Event::SpeechStarted => Some(DialogueEvent::SpeechStarted),
            Event::SpeechStopped => Some(DialogueEvent::SpeechEnded),
            Event::Heard { transcript } => {
                let words = transcript.trim();
                (!words.is_empty()).then(|| DialogueEvent::Heard(Pii::new(words.to_owned())))
            }
            Event::ResponseCreated { response } => {
                self.replies.begin(response.id);
                None
            }
            Event::Audio { response_id, item_id, content_index, delta } => {
                self.replies.made(&item_id, content_index, delta.len());
                let is_wanted = self.replies.is_wanted(&response_id);
                is_wanted.then_some(DialogueEvent::Audio { item: item_id, audio: delta })
            }
            Event::Said { response_id, item_id, delta } => {
                let is_wanted = self.replies.is_wanted(&response_id);
                is_wanted.then(|| DialogueEvent::Said { item: item_id, text: Pii::new(delta) })
            }
            Event::ItemDone { item } => match item.call() {
                Some((function, call)) => {
                    let wish = match function.as_str() {
                        message::HANG_UP => Some(DialogueEvent::EndsCall),
                        message::HAND_OVER => Some(DialogueEvent::HandsOver),
                        _ => None,
                    };
                    self.say(message::called(&call, wish.is_some())).await?;
                    wish
                }
                None => None,
            },
            Event::ResponseDone { response } => {
                if let Some(error) = response.failure() {
                    return Err(error);
                }
                if self.replies.end(&response.id) {
                    self.say(message::create_response()).await?;
                }
                Some(DialogueEvent::Done)
            }
            Event::Error { error } if error.is_the_end() => {
                return Err(SpeechError::Ended { engine: NAME, reason: "the session has expired".to_owned() });
            }
            // About one message of ours, such as a cancel that came too late; the session goes on.
            Event::Error { .. } => {
                tracing::debug!(engine = NAME, "the provider refuses a message");
                self.replies.refused();
                None
            }
            Event::Updated | Event::Other => None,
        })
    }
}

fn read(socket: &Socket, text: &Utf8Bytes) -> Result<Event, SpeechError> {
    serde_json::from_str(text).map_err(|_| socket.malformed("an event of its session"))
}
