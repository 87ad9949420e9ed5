-- What was said in a conversation before its latest messages, in short.
CREATE TABLE conversation_summary (
    conversation_id TEXT   NOT NULL PRIMARY KEY REFERENCES conversation (id),
    summary         TEXT   NOT NULL,
    -- Every message up to this place is in it.
    upto            BIGINT NOT NULL,
    -- A model's name, or `selection`.
    made_by         TEXT   NOT NULL,
    updated_at      BIGINT NOT NULL
);
