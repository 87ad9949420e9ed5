-- Our address in the conversation, where it is known.
ALTER TABLE conversation ADD COLUMN own_address TEXT;
-- When sending a row was first begun: the message, if there is one, is not older.
ALTER TABLE outbox ADD COLUMN claimed_at BIGINT;
CREATE INDEX message_by_outbox ON message (outbox_id) WHERE outbox_id IS NOT NULL;
