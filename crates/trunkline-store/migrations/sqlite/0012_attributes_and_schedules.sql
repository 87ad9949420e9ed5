-- What the platform keeps beside a conversation: a JSON object, as it was last told. It stands where the name stands,
-- as both are told together, and before the first message.
ALTER TABLE conversation_name ADD COLUMN attributes TEXT;

-- Texts that agents have promised for later.
CREATE TABLE scheduled_text (
    -- Also the id of its row in the outbox, so that it is sent once.
    id              TEXT   NOT NULL PRIMARY KEY,
    conversation_id TEXT   NOT NULL REFERENCES conversation (id),
    body            TEXT   NOT NULL,
    due_at          BIGINT NOT NULL,
    -- waiting, sending, sent, cancelled
    state           TEXT   NOT NULL,
    -- Why it was cancelled: agent, operator, opted_out, closed, unsendable
    reason          TEXT,
    traceparent     TEXT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX scheduled_text_due ON scheduled_text (due_at) WHERE state IN ('waiting', 'sending');
CREATE INDEX scheduled_text_by_conversation ON scheduled_text (conversation_id, due_at);
