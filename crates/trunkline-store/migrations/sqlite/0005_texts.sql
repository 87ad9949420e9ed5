-- What people decided about hearing from us, when they last wrote, and answers that
-- are templates or have several parts.

CREATE TABLE consent (
    -- The person's address, as providers write it. By whichever way they told us: it is about the two addresses.
    address    TEXT    NOT NULL,
    -- Our address that it is about; empty: every one of ours.
    sender     TEXT    NOT NULL,
    opted_out  BOOLEAN NOT NULL,
    -- person: a keyword; provider: it refused a message for that.
    told_by    TEXT    NOT NULL,
    changed_at BIGINT  NOT NULL,
    PRIMARY KEY (address, sender)
);

-- When the person last wrote.
ALTER TABLE conversation ADD COLUMN last_in_at BIGINT;
UPDATE conversation SET last_in_at =
    (SELECT max(m.created_at) FROM message m WHERE m.conversation_id = conversation.id AND m.direction = 'in');
CREATE INDEX conversation_by_address ON conversation (connector, address);

-- The first part of the answer that it is a part of; none if it is all of it.
ALTER TABLE outbox ADD COLUMN group_id TEXT;
-- A template that is sent in place of the text, and what is filled in, as a JSON object.
ALTER TABLE outbox ADD COLUMN content_sid TEXT;
ALTER TABLE outbox ADD COLUMN content_variables TEXT;
CREATE INDEX outbox_by_group ON outbox (group_id) WHERE group_id IS NOT NULL;
