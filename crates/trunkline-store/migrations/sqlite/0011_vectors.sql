-- Vectors of passages: what they mean, in the numbers of a model.

-- The model that was asked for the vector of a passage; none of one that waits.
ALTER TABLE passage ADD COLUMN embedded_by TEXT;
CREATE INDEX passage_by_model ON passage (embedded_by, seq);

CREATE TABLE passage_vector (
    -- Never used again: whoever knows the vectors up to one finds the newer ones behind it.
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- It goes with its passage.
    passage_id TEXT NOT NULL UNIQUE REFERENCES passage (id) ON DELETE CASCADE,
    -- Numbers of 32 bits each, the lowest byte first; of length 1.
    vector     BLOB NOT NULL
);

-- Other words mean something else.
CREATE TRIGGER passage_reworded AFTER UPDATE OF title, text ON passage BEGIN
    DELETE FROM passage_vector WHERE passage_id = new.id;
    UPDATE passage SET embedded_by = NULL WHERE seq = new.seq;
END;
