-- Calls of tools are written down before they are made.

-- The name that the tool is told: the same again is the same wish.
ALTER TABLE tool_call ADD COLUMN key TEXT;
-- 0: it only looked; 1: it acted; 2: it acted and had effects, which count only with its answer.
ALTER TABLE tool_call ADD COLUMN acts BIGINT NOT NULL DEFAULT 0;
-- The answer that tells of it. Until there is one, the next try is told of it.
ALTER TABLE tool_call ADD COLUMN settled_by TEXT;
CREATE INDEX tool_call_open ON tool_call (conversation_id, created_at) WHERE acts > 0 AND settled_by IS NULL;
CREATE INDEX tool_call_open_of_call ON tool_call (call_id, created_at) WHERE acts > 0 AND settled_by IS NULL;
CREATE INDEX tool_call_by_answer ON tool_call (settled_by) WHERE settled_by IS NOT NULL;
