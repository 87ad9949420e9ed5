-- People: who was joined with whom, who was forgotten, and what is kept of that.

-- The contact that this one became a part of. Kept so that an old name still finds the person.
ALTER TABLE contact ADD COLUMN merged_into TEXT REFERENCES contact (id);
CREATE INDEX contact_merged ON contact (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX contact_address_by_contact ON contact_address (contact_id);
CREATE INDEX conversation_by_contact ON conversation (contact_id, updated_at);
CREATE INDEX participant_by_conversation ON participant (connector, conversation);
CREATE INDEX message_media_by_hash ON message_media (hash) WHERE hash IS NOT NULL;
CREATE INDEX outbox_by_media ON outbox (media_hash) WHERE media_hash IS NOT NULL;

-- Random values that are made once. What they salt means nothing outside of this database.
CREATE TABLE salt (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Conversations whose person was forgotten: a salted hash of the connector and its name for the conversation. What the
-- platform still holds of them, and tells again, is not taken.
CREATE TABLE erased (
    hash      TEXT   NOT NULL PRIMARY KEY,
    -- What was written, or happened, up to then is not taken.
    erased_at BIGINT NOT NULL
);

-- What is left to do of an erasure: files and envelopes that the tables do not hold. Gone when it is done.
CREATE TABLE erasure (
    id   TEXT NOT NULL PRIMARY KEY,
    work TEXT NOT NULL
);
