-- Calls of tools are written down before they are made.

-- The name that the tool is told: the same again is the same wish.
ALTER TABLE tool_call ADD COLUMN key TEXT;
-- 1: it may have changed something outside.
ALTER TABLE tool_call ADD COLUMN acts BIGINT NOT NULL DEFAULT 0;
-- What it is to change of the conversation, as JSON; it counts with its answer.
ALTER TABLE tool_call ADD COLUMN effects TEXT;
-- The answer that takes account of it. Until there is one, whoever answers next is told of it.
ALTER TABLE tool_call ADD COLUMN settled_by TEXT;
-- Turns that were given up and that it was told to, or made for.
ALTER TABLE tool_call ADD COLUMN given_up BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tool_call_open ON tool_call (conversation_id, created_at) WHERE acts = 1 AND settled_by IS NULL;
CREATE INDEX tool_call_open_of_call ON tool_call (call_id, created_at) WHERE acts = 1 AND settled_by IS NULL;
CREATE INDEX tool_call_open_by_key ON tool_call (key) WHERE acts = 1 AND settled_by IS NULL;
CREATE INDEX tool_call_by_answer ON tool_call (settled_by) WHERE settled_by IS NOT NULL;

-- The turn that was given up for a message: what it did is told when the message is treated again.
ALTER TABLE message ADD COLUMN given_up_turn TEXT;
