-- Small documents that belong to one part of the server, each under its kind and key.
CREATE TABLE record (
    kind   text COLLATE "C" NOT NULL,
    key    text COLLATE "C" NOT NULL,
    device text COLLATE "C",
    at     bigint NOT NULL,
    body   text COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX record_newest ON record (kind, at, key);
CREATE INDEX record_by_device ON record (device) WHERE device IS NOT NULL;

-- What the check of a message's HMAC found; NULL when it was not looked at. The chain does not cover it.
ALTER TABLE message ADD COLUMN hmac text COLLATE "C";
-- The size of `raw` in bytes, set when it is pruned.
ALTER TABLE message ADD COLUMN size integer;

-- The larger goes first.
ALTER TABLE command ADD COLUMN priority integer NOT NULL DEFAULT 0;
DROP INDEX command_queue;
CREATE INDEX command_queue ON command (via, priority DESC, created, id) WHERE state = 'queued';
