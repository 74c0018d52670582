-- A device's messages, many in a row: the last one, and how far before it each other lies (store/sqlite/own). What was
-- in `message_of` is put here by the program, which then drops it.
CREATE TABLE messages_of (
    device_id TEXT NOT NULL,
    last      INTEGER NOT NULL,
    earlier   BLOB NOT NULL,
    PRIMARY KEY (device_id, last)
) STRICT, WITHOUT ROWID;

-- Fingerprints as they were filed, those of many messages in a row. Once there are many they go to `fingerprint`, where
-- each has a place of its own, in the order of their places.
CREATE TABLE print_run (
    -- The last entry of the ledger among them.
    last INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
