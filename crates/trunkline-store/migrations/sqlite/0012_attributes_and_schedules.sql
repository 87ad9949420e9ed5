-- What the platform keeps beside a conversation: a JSON object, as it was last told. It stands where the name stands,
-- as both are told together, and before the first message.
ALTER TABLE conversation_name ADD COLUMN attributes TEXT;
