-- The web chat is a platform of our own: this is what a provider would keep for us.

CREATE TABLE chat (
    -- The connector's name for the conversation.
    id         TEXT   NOT NULL PRIMARY KEY,
    -- SHA-256 of the visitor's token, in hexadecimal. The token itself is nowhere.
    token_hash TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX chat_by_update ON chat (updated_at, id);

CREATE TABLE chat_message (
    chat_id    TEXT   NOT NULL REFERENCES chat (id),
    -- Place in the conversation: 0, 1, 2, without a gap.
    position   BIGINT NOT NULL,
    -- Of a message of the visitor: the name that their page gave it.
    client_id  TEXT,
    -- Of a message of ours: the row of the outbox.
    outbox_id  TEXT   UNIQUE,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (chat_id, position),
    UNIQUE (chat_id, client_id),
    CHECK ((client_id IS NULL) <> (outbox_id IS NULL))
);
