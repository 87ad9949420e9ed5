//! Files of the media service. Their bytes stay in memory and, with a data file, on disk.

use bytes::Bytes;
use trunkline_proto::sid::MediaSid;

use super::limits;
use super::records::{MediaRecord, MediaRef};
use super::{Key, State};
use crate::error::{self, ApiError};

/// A file as it is handed in.
#[derive(Clone)]
pub(crate) struct MediaFields {
    pub(crate) content_type: String,
    pub(crate) filename: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) content: Bytes,
}

impl std::fmt::Debug for MediaFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaFields").field("size", &self.content.len()).finish_non_exhaustive()
    }
}

impl MediaFields {
    /// How a pre-event shows a file that has no SID yet.
    pub(super) fn preview(&self) -> MediaRef {
        MediaRef {
            sid: MediaSid::from_random([0; 16]),
            filename: self.filename.clone(),
            content_type: self.content_type.clone(),
            size: u64::try_from(self.content.len()).unwrap_or(u64::MAX),
        }
    }
}

impl State {
    pub(crate) fn add_media(&mut self, fields: MediaFields) -> Result<MediaRecord, ApiError> {
        let size = fields.content.len();
        if size > limits::MAX_MEDIA_BYTES {
            return Err(error::TOO_LARGE);
        }
        let total = self.media_bytes.saturating_add(size);
        if total > limits::MAX_TOTAL_MEDIA_BYTES || self.media.len() >= limits::MAX_MEDIA_FILES {
            return Err(error::FULL);
        }
        limits::check_name(&fields.content_type, ApiError::parameter("Content-Type"))?;
        if let Some(name) = &fields.filename {
            limits::check_name(name, ApiError::parameter("Filename"))?;
        }
        let now = self.now();
        let record = MediaRecord {
            sid: self.random_sid(MediaSid::from_random),
            filename: fields.filename,
            content_type: fields.content_type,
            size: u64::try_from(size).unwrap_or(u64::MAX),
            author: fields.author,
            message_sid: None,
            conversation_sid: None,
            date_created: now,
            date_updated: now,
        };
        self.media_bytes = total;
        self.effects.dirty.insert(Key::Media(record.sid));
        self.media.insert(record.sid, (record.clone(), fields.content));
        Ok(record)
    }

    pub(crate) fn media_record(&self, sid: MediaSid) -> Option<&MediaRecord> {
        self.media.get(&sid).map(|(record, _)| record)
    }

    pub(crate) fn media_content(&self, sid: MediaSid) -> Option<(MediaRecord, Bytes)> {
        self.media.get(&sid).cloned()
    }

    /// Takes a file away.
    pub(super) fn remove_media(&mut self, sid: MediaSid) {
        if let Some((_, content)) = self.media.remove(&sid) {
            self.media_bytes = self.media_bytes.saturating_sub(content.len());
            self.effects.dirty.insert(Key::Media(sid));
        }
    }

    /// Notes on the files of a message which message they belong to.
    pub(super) fn claim_media(&mut self, position: u64, index: u64) {
        let Ok(message) = self.stored_message(position, index) else { return };
        for file in &message.media {
            if let Some((record, _)) = self.media.get_mut(&file.sid) {
                record.message_sid = Some(message.sid);
                record.conversation_sid = Some(message.conversation_sid);
                self.effects.dirty.insert(Key::Media(file.sid));
            }
        }
    }
}
