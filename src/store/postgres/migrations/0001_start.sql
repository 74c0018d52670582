-- Times are microseconds since 1970-01-01T00:00:00Z. Texts sort by their bytes (COLLATE "C"), as on SQLite.

CREATE TABLE device (
    id        text COLLATE "C" PRIMARY KEY,
    family    text COLLATE "C" NOT NULL,
    address   text COLLATE "C" NOT NULL,
    name      text COLLATE "C" NOT NULL,
    state     text COLLATE "C" NOT NULL CHECK (state IN ('active', 'held', 'blocked')),
    parent    text COLLATE "C" REFERENCES device (id) ON DELETE SET NULL,
    created   bigint NOT NULL,
    last_seen bigint,
    -- The number of the command made last for fetching by this device.
    wire_last integer NOT NULL DEFAULT 0
);
-- The letter case of an address does not count.
CREATE UNIQUE INDEX device_once ON device (family, lower(address));
CREATE INDEX device_by_name ON device (name, id);
CREATE INDEX device_by_parent ON device (parent);

-- The ledger. The device's names are kept beside the message, because a device can be forgotten.
CREATE TABLE message (
    seq         bigint PRIMARY KEY,
    at          bigint NOT NULL,
    device      text COLLATE "C",
    family      text COLLATE "C" NOT NULL,
    address     text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    direction   text COLLATE "C" NOT NULL CHECK (direction IN ('in', 'out')),
    verdict     text COLLATE "C" NOT NULL,
    peer        text COLLATE "C" NOT NULL,
    -- NULL once pruned; the digest stays, so that the chain can still be checked.
    raw         bytea,
    digest      bytea NOT NULL,
    hash        bytea NOT NULL
);
CREATE INDEX message_by_device ON message (device, seq);
CREATE INDEX message_by_at ON message (at);

-- What was stored before; device '' is a message that did not say whose it is.
CREATE TABLE fingerprint (
    device      text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    seq         bigint NOT NULL,
    PRIMARY KEY (device, fingerprint)
);

CREATE TABLE reading (
    seq     bigint NOT NULL,
    -- Its place among the values of one message.
    place   integer NOT NULL,
    sensor  text COLLATE "C" NOT NULL,
    device  text COLLATE "C" NOT NULL,
    -- The value as JSON.
    value   text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    created bigint,
    PRIMARY KEY (seq, place)
);
CREATE INDEX reading_in_order ON reading (seq, sensor, place);
CREATE INDEX reading_by_sensor ON reading (device, sensor, seq, place);
CREATE INDEX reading_by_device ON reading (device, seq, sensor, place);
CREATE INDEX reading_by_at ON reading (device, at);

CREATE TABLE command (
    id       text COLLATE "C" PRIMARY KEY,
    device   text COLLATE "C" NOT NULL,
    family   text COLLATE "C" NOT NULL,
    address  text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    via      text COLLATE "C" NOT NULL,
    cmd      text COLLATE "C" NOT NULL,
    payload  text COLLATE "C" NOT NULL,
    wire_id  integer NOT NULL,
    bytes    bytea NOT NULL,
    state    text COLLATE "C" NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created  bigint NOT NULL,
    expires  bigint NOT NULL,
    -- Not handed out before.
    next_at  bigint NOT NULL,
    -- When it was handed out last, and until when it is taken as being on its way.
    sent_at  bigint,
    hold     bigint,
    reply    bytea
);
CREATE INDEX command_queue ON command (via, created, id) WHERE state = 'queued';
CREATE INDEX command_open ON command (via, wire_id) WHERE state IN ('queued', 'sent', 'accepted');
CREATE INDEX command_in_order ON command (created, id);
CREATE INDEX command_by_device ON command (device, created, id);
CREATE INDEX command_by_via ON command (via, created, id);
CREATE INDEX command_live ON command (state, expires) WHERE state IN ('queued', 'sent');

CREATE TABLE transition (
    command text COLLATE "C" NOT NULL REFERENCES command (id) ON DELETE CASCADE,
    place   integer NOT NULL,
    at      bigint NOT NULL,
    state   text COLLATE "C" NOT NULL,
    reason  text COLLATE "C" NOT NULL,
    cause   text COLLATE "C" NOT NULL,
    PRIMARY KEY (command, place)
);

CREATE TABLE person (
    id            text COLLATE "C" PRIMARY KEY,
    name          text COLLATE "C" NOT NULL,
    role          text COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    created       bigint NOT NULL,
    password_hash text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX person_once ON person (lower(name));

CREATE TABLE session (
    secret_hash bytea PRIMARY KEY,
    person      text COLLATE "C" NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    created     bigint NOT NULL,
    expires     bigint NOT NULL
);
CREATE INDEX session_by_person ON session (person);
CREATE INDEX session_by_expires ON session (expires);

CREATE TABLE token (
    id          text COLLATE "C" PRIMARY KEY,
    name        text COLLATE "C" NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    person      text COLLATE "C" NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    role        text COLLATE "C" NOT NULL,
    created     bigint NOT NULL,
    last_used   bigint,
    expires     bigint
);
CREATE INDEX token_by_person ON token (person);

CREATE TABLE note (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
