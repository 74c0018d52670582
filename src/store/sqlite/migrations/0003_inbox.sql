-- What a stored message says and what is not in its places yet: values, newest values, fingerprint, signs of life.
-- Written at the end of the file with the message itself, filed later for many messages at once.
CREATE TABLE inbox (
    seq  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- A device's messages. Not an index of the ledger, which would have to be kept with each push: filed like the rest.
CREATE TABLE message_of (
    device_id TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (device_id, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO message_of (device_id, seq)
    SELECT device_id, seq FROM message WHERE device_id IS NOT NULL ORDER BY device_id, seq;
DROP INDEX message_device;
