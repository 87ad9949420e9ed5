-- Times are milliseconds since the Unix epoch, UTC. Identifiers are UUID version 7 as text.

CREATE TABLE contact (
    id         TEXT   NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE contact_address (
    channel    TEXT NOT NULL,
    address    TEXT NOT NULL,
    contact_id TEXT NOT NULL REFERENCES contact (id),
    PRIMARY KEY (channel, address)
);
CREATE INDEX contact_address_by_address ON contact_address (address);

CREATE TABLE conversation (
    id          TEXT   NOT NULL PRIMARY KEY,
    connector   TEXT   NOT NULL,
    external_id TEXT   NOT NULL,
    channel     TEXT   NOT NULL,
    address     TEXT   NOT NULL,
    contact_id  TEXT   NOT NULL REFERENCES contact (id),
    state       TEXT   NOT NULL,
    -- Every message up to this index is recorded; -1 while none is.
    read_index  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (connector, external_id)
);
CREATE INDEX conversation_by_update ON conversation (updated_at, id);

CREATE TABLE message (
    id              TEXT   NOT NULL PRIMARY KEY,
    conversation_id TEXT   NOT NULL REFERENCES conversation (id),
    direction       TEXT   NOT NULL,
    external_id     TEXT,
    -- Place in the conversation as the provider counts; unknown until a message of ours is sent.
    position        BIGINT,
    -- Where it stands in a thread: twice its position, or, until it has one, just behind what was there before it.
    place           BIGINT NOT NULL,
    author          TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    media           TEXT   NOT NULL,
    -- Of a message of ours: how far it has come, and the rank of that, which only grows.
    status          TEXT   NOT NULL,
    status_rank     BIGINT NOT NULL,
    error_code      TEXT,
    -- Of a message to us: waiting, answered, or history (not ours to answer).
    answer          TEXT,
    answered_by     TEXT,
    -- How often an operator has had it treated again.
    replays         BIGINT NOT NULL DEFAULT 0,
    outbox_id       TEXT,
    traceparent     TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    UNIQUE (conversation_id, external_id)
);
CREATE INDEX message_by_conversation ON message (conversation_id, place, id);
CREATE INDEX message_by_external_id ON message (external_id);
CREATE INDEX message_waiting ON message (conversation_id, position) WHERE answer = 'waiting';
CREATE INDEX message_position ON message (conversation_id, position) WHERE position IS NOT NULL;
CREATE INDEX message_answered_by ON message (answered_by) WHERE answered_by IS NOT NULL;

CREATE TABLE outbox (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT   NOT NULL UNIQUE,
    conversation_id TEXT   NOT NULL REFERENCES conversation (id),
    kind            TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    -- pending, sending, sent, failed, superseded
    state           TEXT   NOT NULL,
    attempts        BIGINT NOT NULL,
    -- The conversation's read index when sending was first begun: the message, if there is one, stands behind it.
    claimed_after   BIGINT,
    external_id     TEXT,
    error_code      TEXT,
    traceparent     TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX outbox_open ON outbox (seq) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_by_conversation ON outbox (conversation_id, seq) WHERE state IN ('pending', 'sending');

CREATE TABLE memory (
    conversation_id TEXT   NOT NULL REFERENCES conversation (id),
    name            TEXT   NOT NULL,
    value           TEXT   NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, name)
);

CREATE TABLE cursor (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
