-- Times are microseconds since 1970-01-01T00:00:00Z. Words are the ones of the API.

CREATE TABLE note (
    name TEXT NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    key          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    family       TEXT NOT NULL,
    address      TEXT NOT NULL COLLATE NOCASE,
    name         TEXT NOT NULL,
    state        TEXT NOT NULL,
    parent       INTEGER REFERENCES device (key) ON DELETE SET NULL,
    created_us   INTEGER NOT NULL,
    last_seen_us INTEGER,
    -- The number of the newest command that this device would fetch.
    wire_id      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (family, address)
) STRICT;
CREATE INDEX device_parent ON device (parent);

-- The ledger. It keeps the device's names, because it outlives the device.
CREATE TABLE message (
    seq       INTEGER PRIMARY KEY,
    at_us     INTEGER NOT NULL,
    device_id TEXT,
    family    TEXT NOT NULL,
    address   TEXT NOT NULL,
    name      TEXT NOT NULL,
    direction TEXT NOT NULL,
    verdict   TEXT NOT NULL,
    peer      TEXT NOT NULL,
    -- NULL once pruned; the digest stays, so that the chain can still be checked.
    raw       BLOB,
    digest    BLOB NOT NULL,
    hash      BLOB NOT NULL
) STRICT;
CREATE INDEX message_device ON message (device_id) WHERE device_id IS NOT NULL;

-- What was stored before; device 0 is a message that did not say whose it is.
CREATE TABLE fingerprint (
    device      INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (device, fingerprint)
) STRICT, WITHOUT ROWID;

-- A device's sensors with the newest value of each.
CREATE TABLE sensor (
    key        INTEGER PRIMARY KEY,
    device     INTEGER NOT NULL,
    name       TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    at_us      INTEGER NOT NULL,
    created_us INTEGER,
    kind       INTEGER NOT NULL,
    value      ANY,
    UNIQUE (device, name)
) STRICT;

-- A message's values lie side by side: one message touches one page, and a device's history is one stretch.
CREATE TABLE reading (
    device     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    place      INTEGER NOT NULL,
    sensor     INTEGER NOT NULL,
    at_us      INTEGER NOT NULL,
    created_us INTEGER,
    kind       INTEGER NOT NULL,
    value      ANY,
    PRIMARY KEY (device, seq, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE command (
    key           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL UNIQUE,
    device_id     TEXT NOT NULL,
    family        TEXT NOT NULL,
    address       TEXT NOT NULL,
    name          TEXT NOT NULL,
    via_id        TEXT NOT NULL,
    cmd           TEXT NOT NULL,
    payload       TEXT NOT NULL,
    wire_id       INTEGER NOT NULL,
    bytes         BLOB NOT NULL,
    state         TEXT NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    created_us    INTEGER NOT NULL,
    expires_us    INTEGER NOT NULL,
    -- While queued: not before.
    due_us        INTEGER NOT NULL,
    -- When it was handed out last, and until when it is taken as being on its way.
    sent_us       INTEGER,
    hold_until_us INTEGER,
    reply         BLOB
) STRICT;
CREATE INDEX command_queue ON command (state, via_id, created_us, id);
CREATE INDEX command_number ON command (via_id, wire_id);
CREATE INDEX command_device ON command (device_id, created_us, id);

CREATE TABLE transition (
    command INTEGER NOT NULL REFERENCES command (key) ON DELETE CASCADE,
    place   INTEGER NOT NULL,
    at_us   INTEGER NOT NULL,
    state   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    PRIMARY KEY (command, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    id            TEXT NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL COLLATE NOCASE UNIQUE,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_us    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    secret_hash BLOB NOT NULL PRIMARY KEY,
    user        TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    created_us  INTEGER NOT NULL,
    expires_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user);
CREATE INDEX session_expires ON session (expires_us);

CREATE TABLE token (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL,
    secret_hash  BLOB NOT NULL UNIQUE,
    user         TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    role         TEXT NOT NULL,
    created_us   INTEGER NOT NULL,
    last_used_us INTEGER,
    expires_us   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX token_user ON token (user);
