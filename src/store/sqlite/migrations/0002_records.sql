-- Small documents that belong to one part of the server, each under its kind and key.
CREATE TABLE record (
    kind      TEXT NOT NULL,
    key       TEXT NOT NULL,
    device_id TEXT,
    at_us     INTEGER NOT NULL,
    body      TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_newest ON record (kind, at_us, key);
CREATE INDEX record_device ON record (device_id) WHERE device_id IS NOT NULL;

-- What the check of a message's HMAC found; NULL when it was not looked at. The chain does not cover it.
ALTER TABLE message ADD COLUMN hmac TEXT;
-- The size of `raw` in bytes, set when it is pruned.
ALTER TABLE message ADD COLUMN size INTEGER;

-- The larger goes first.
ALTER TABLE command ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
DROP INDEX command_queue;
CREATE INDEX command_queue ON command (state, via_id, priority DESC, created_us, id);
