-- Calls, what was said in them, and what is remembered of a person whatever the channel.

CREATE TABLE call (
    -- The session's name.
    id          TEXT   NOT NULL PRIMARY KEY,
    connector   TEXT   NOT NULL,
    external_id TEXT   NOT NULL,
    contact_id  TEXT   NOT NULL REFERENCES contact (id),
    address     TEXT   NOT NULL,
    -- inbound, outbound
    direction   TEXT   NOT NULL,
    -- Why it ended; none while it lives.
    outcome     TEXT,
    -- The name of its file in the folder of recordings.
    recording   TEXT,
    traceparent TEXT,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT
);
-- Not unique: a call that outlives its gateway comes back as a session of its own.
CREATE INDEX call_by_external_id ON call (connector, external_id);
CREATE INDEX call_by_start ON call (started_at, id);
CREATE INDEX call_open ON call (id) WHERE ended_at IS NULL;
CREATE INDEX call_by_contact ON call (contact_id, started_at);

CREATE TABLE call_turn (
    call_id     TEXT   NOT NULL REFERENCES call (id),
    number      BIGINT NOT NULL,
    -- answer, announcement, reprompt, goodbye
    kind        TEXT   NOT NULL,
    -- Milliseconds since the call's start.
    at_ms       BIGINT NOT NULL,
    person      TEXT   NOT NULL,
    -- What of the reply was heard.
    agent       TEXT   NOT NULL,
    latency_ms  BIGINT,
    interrupted BOOLEAN NOT NULL,
    PRIMARY KEY (call_id, number)
);

CREATE TABLE contact_memory (
    contact_id TEXT   NOT NULL REFERENCES contact (id),
    name       TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (contact_id, name)
);
