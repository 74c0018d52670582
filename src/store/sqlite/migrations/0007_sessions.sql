-- Sign-ins become sessions with an id, and what lets their holders in becomes rows of its own: one session has several
-- secrets, one after the other.

ALTER TABLE session RENAME TO session_before;
ALTER TABLE session_before ADD COLUMN id TEXT;
UPDATE session_before SET id = lower(hex(randomblob(16)));
DROP INDEX session_user;
DROP INDEX session_expires;

CREATE TABLE session (
    id                 TEXT NOT NULL PRIMARY KEY,
    user               TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    created_us         INTEGER NOT NULL,
    used_us            INTEGER NOT NULL,
    expires_us         INTEGER NOT NULL,
    peer               TEXT NOT NULL,
    agent              TEXT NOT NULL,
    -- NULL where nothing renews it.
    family_hash        BLOB UNIQUE,
    refresh_hash       BLOB,
    refresh_expires_us INTEGER,
    -- A refresh token was shown twice: all has ended, and whoever shows one is told why.
    reused             INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user);
CREATE INDEX session_expires ON session (expires_us);

CREATE TABLE admission (
    secret_hash BLOB NOT NULL PRIMARY KEY,
    session     TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    expires_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX admission_session ON admission (session);
CREATE INDEX admission_expires ON admission (expires_us);

INSERT INTO session (id, user, created_us, used_us, expires_us, peer, agent)
    SELECT id, user, created_us, created_us, expires_us, '', '' FROM session_before;
INSERT INTO admission (secret_hash, session, expires_us) SELECT secret_hash, id, expires_us FROM session_before;
DROP TABLE session_before;
