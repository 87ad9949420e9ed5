-- Files: which ones are kept, and what became of those that came with a message.

CREATE TABLE media (
    -- SHA-256 of the content, in hexadecimal; the name of the file.
    hash         TEXT   NOT NULL PRIMARY KEY,
    -- image, video, audio
    kind         TEXT   NOT NULL,
    content_type TEXT   NOT NULL,
    size         BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE TABLE message_media (
    message_id TEXT   NOT NULL REFERENCES message (id),
    -- Which file of the message, from 0.
    position   BIGINT NOT NULL,
    hash       TEXT   REFERENCES media (hash),
    -- Why there is none.
    error_code TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (message_id, position),
    CHECK ((hash IS NULL) <> (error_code IS NULL))
);

-- The file that is sent along: its hash.
ALTER TABLE outbox ADD COLUMN media_hash TEXT REFERENCES media (hash);
