-- What can be searched: passages of documents, of calls and of conversations.

CREATE TABLE document (
    id           TEXT   NOT NULL PRIMARY KEY,
    collection   TEXT   NOT NULL,
    -- What it is called; one of a name in a collection.
    title        TEXT   NOT NULL,
    content_type TEXT   NOT NULL,
    -- SHA-256 of its content, in hexadecimal.
    hash         TEXT   NOT NULL,
    -- Of its content, in bytes.
    size         BIGINT NOT NULL,
    passages     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    UNIQUE (collection, title)
);

CREATE TABLE passage (
    -- The row of the index of words.
    seq        INTEGER PRIMARY KEY,
    id         TEXT   NOT NULL UNIQUE,
    -- document, transcript, conversation
    kind       TEXT   NOT NULL,
    -- The document, the call or the conversation.
    source_id  TEXT   NOT NULL,
    -- Whose it is; none of a document.
    contact_id TEXT REFERENCES contact (id),
    -- Words that every passage of a kind, of a collection, or of a person has and no other: they are searched for with
    -- the rest.
    scope      TEXT   NOT NULL,
    title      TEXT   NOT NULL,
    position   BIGINT NOT NULL,
    text       TEXT   NOT NULL,
    -- When it was said, or taken in.
    created_at BIGINT NOT NULL,
    -- When it is taken out; never if none.
    expires_at BIGINT
);
CREATE INDEX passage_by_source ON passage (source_id, position);
CREATE INDEX passage_by_contact ON passage (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX passage_by_expiry ON passage (expires_at) WHERE expires_at IS NOT NULL;

-- The words. It holds no text of its own; what is taken out of it is overwritten.
CREATE VIRTUAL TABLE passage_words USING fts5 (
    scope, title, text, content = 'passage', content_rowid = 'seq', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO passage_words (passage_words, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER passage_added AFTER INSERT ON passage BEGIN
    INSERT INTO passage_words (rowid, scope, title, text) VALUES (new.seq, new.scope, new.title, new.text);
END;
CREATE TRIGGER passage_removed AFTER DELETE ON passage BEGIN
    INSERT INTO passage_words (passage_words, rowid, scope, title, text)
        VALUES ('delete', old.seq, old.scope, old.title, old.text);
END;
CREATE TRIGGER passage_changed AFTER UPDATE OF scope, title, text ON passage BEGIN
    INSERT INTO passage_words (passage_words, rowid, scope, title, text)
        VALUES ('delete', old.seq, old.scope, old.title, old.text);
    INSERT INTO passage_words (rowid, scope, title, text) VALUES (new.seq, new.scope, new.title, new.text);
END;

-- What was said and is not in the index, or no longer as it stands there.
CREATE TABLE unindexed (
    -- transcript, conversation
    kind      TEXT   NOT NULL,
    source_id TEXT   NOT NULL,
    -- When it last changed.
    at        BIGINT NOT NULL,
    PRIMARY KEY (kind, source_id)
);
CREATE INDEX unindexed_by_age ON unindexed (at);

CREATE TRIGGER message_said AFTER INSERT ON message WHEN new.body <> '' BEGIN
    INSERT INTO unindexed (kind, source_id, at) VALUES ('conversation', new.conversation_id, new.updated_at)
        ON CONFLICT (kind, source_id) DO UPDATE SET at = excluded.at;
END;
-- Words that were changed or taken away leave the index at once; what is left of the conversation comes back later.
CREATE TRIGGER message_changed AFTER UPDATE OF body ON message WHEN old.body <> new.body BEGIN
    DELETE FROM passage WHERE source_id = new.conversation_id AND kind = 'conversation';
    INSERT INTO unindexed (kind, source_id, at) VALUES ('conversation', new.conversation_id, new.updated_at)
        ON CONFLICT (kind, source_id) DO UPDATE SET at = excluded.at;
END;
CREATE TRIGGER message_gone AFTER DELETE ON message WHEN old.body <> '' BEGIN
    DELETE FROM passage WHERE source_id = old.conversation_id AND kind = 'conversation';
    INSERT INTO unindexed (kind, source_id, at) VALUES ('conversation', old.conversation_id, old.updated_at)
        ON CONFLICT (kind, source_id) DO UPDATE SET at = excluded.at;
END;
CREATE TRIGGER call_over AFTER UPDATE OF ended_at ON call WHEN new.ended_at IS NOT NULL BEGIN
    INSERT INTO unindexed (kind, source_id, at) VALUES ('transcript', new.id, new.ended_at)
        ON CONFLICT (kind, source_id) DO UPDATE SET at = excluded.at;
END;

-- What was said before there was an index.
INSERT INTO unindexed (kind, source_id, at) SELECT 'conversation', id, updated_at FROM conversation;
INSERT INTO unindexed (kind, source_id, at) SELECT 'transcript', id, ended_at FROM call WHERE ended_at IS NOT NULL;
