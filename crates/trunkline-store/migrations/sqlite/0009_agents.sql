-- Who answers in a conversation, and what agents did for their answers.

-- The agent that was chosen for it; none: the routes say who.
ALTER TABLE conversation ADD COLUMN agent TEXT;
-- Since when a person of ours answers in place of an agent.
ALTER TABLE conversation ADD COLUMN handed_over_at BIGINT;
UPDATE conversation SET handed_over_at =
    (SELECT m.updated_at FROM memory m WHERE m.conversation_id = conversation.id AND m.name = '.handed_over');
DELETE FROM memory WHERE name = '.handed_over';

CREATE TABLE tool_call (
    turn            TEXT   NOT NULL,
    -- Which call of the turn, from 0.
    number          BIGINT NOT NULL,
    -- One of the two is set.
    conversation_id TEXT   REFERENCES conversation (id),
    call_id         TEXT   REFERENCES call (id),
    tool            TEXT   NOT NULL,
    -- JSON.
    arguments       TEXT   NOT NULL,
    result          TEXT   NOT NULL,
    error_code      TEXT,
    duration_ms     BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (turn, number)
);
CREATE INDEX tool_call_by_conversation ON tool_call (conversation_id, created_at) WHERE conversation_id IS NOT NULL;
CREATE INDEX tool_call_by_call ON tool_call (call_id, created_at) WHERE call_id IS NOT NULL;
