-- Our address in the conversation, where it is known.
ALTER TABLE conversation ADD COLUMN own_address TEXT;
-- When sending a row was first begun: the message, if there is one, is not older.
ALTER TABLE outbox ADD COLUMN claimed_at BIGINT;
CREATE INDEX message_by_outbox ON message (outbox_id) WHERE outbox_id IS NOT NULL;

-- What became of a message after it was posted. The words of one that was taken away are not kept.
ALTER TABLE message ADD COLUMN edited_at BIGINT;
ALTER TABLE message ADD COLUMN removed_at BIGINT;

-- Messages that were taken away before they were recorded.
CREATE TABLE removed_message (
    connector    TEXT   NOT NULL,
    conversation TEXT   NOT NULL,
    external_id  TEXT   NOT NULL,
    removed_at   BIGINT NOT NULL,
    noted_at     BIGINT NOT NULL,
    PRIMARY KEY (connector, conversation, external_id)
);
CREATE INDEX removed_message_by_age ON removed_message (noted_at);

-- Names are told before the first message is recorded, so that they stand beside conversations.
CREATE TABLE conversation_name (
    connector     TEXT   NOT NULL,
    external_id   TEXT   NOT NULL,
    friendly_name TEXT,
    unique_name   TEXT,
    changed_at    BIGINT NOT NULL,
    PRIMARY KEY (connector, external_id)
);

-- Who is, or was, in a conversation. Also told before the first message.
CREATE TABLE participant (
    connector    TEXT   NOT NULL,
    -- The connector's name for the conversation.
    conversation TEXT   NOT NULL,
    external_id  TEXT   NOT NULL,
    identity     TEXT,
    channel      TEXT,
    address      TEXT,
    own_address  TEXT,
    role         TEXT,
    read_index   BIGINT,
    joined_at    BIGINT,
    changed_at   BIGINT NOT NULL,
    removed_at   BIGINT,
    PRIMARY KEY (connector, conversation, external_id)
);
CREATE INDEX participant_by_pair ON participant (address, own_address) WHERE removed_at IS NULL;

-- A conversation that is closed and goes on later has a session for each time.
CREATE TABLE messaging_session (
    id               TEXT   NOT NULL PRIMARY KEY,
    conversation_id  TEXT   NOT NULL REFERENCES conversation (id),
    agent            TEXT   NOT NULL,
    -- active, closed
    state            TEXT   NOT NULL,
    started_at       BIGINT NOT NULL,
    last_activity_at BIGINT NOT NULL,
    closed_at        BIGINT
);
CREATE UNIQUE INDEX messaging_session_active ON messaging_session (conversation_id) WHERE state = 'active';
CREATE INDEX messaging_session_by_conversation ON messaging_session (conversation_id, started_at);
ALTER TABLE conversation ADD COLUMN closed_at BIGINT;
