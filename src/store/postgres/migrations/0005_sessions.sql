-- Sign-ins become sessions with an id, and what lets their holders in becomes rows of its own: one session has several
-- secrets, one after the other.

ALTER TABLE session RENAME TO session_before;
ALTER TABLE session_before RENAME CONSTRAINT session_pkey TO session_before_pkey;
ALTER TABLE session_before ADD COLUMN id text COLLATE "C";
UPDATE session_before SET id = replace(gen_random_uuid()::text, '-', '');
DROP INDEX session_by_person;
DROP INDEX session_by_expires;

CREATE TABLE session (
    id              text COLLATE "C" PRIMARY KEY,
    person          text COLLATE "C" NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    created         bigint NOT NULL,
    used            bigint NOT NULL,
    expires         bigint NOT NULL,
    peer            text NOT NULL,
    agent           text NOT NULL,
    -- NULL where nothing renews it.
    family_hash     bytea UNIQUE,
    refresh_hash    bytea,
    refresh_expires bigint,
    -- A refresh token was shown twice: all has ended, and whoever shows one is told why.
    reused          boolean NOT NULL DEFAULT false
);
CREATE INDEX session_by_person ON session (person);
CREATE INDEX session_by_expires ON session (expires);

CREATE TABLE admission (
    secret_hash bytea PRIMARY KEY,
    session     text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    expires     bigint NOT NULL
);
CREATE INDEX admission_by_session ON admission (session);
CREATE INDEX admission_by_expires ON admission (expires);

INSERT INTO session (id, person, created, used, expires, peer, agent)
    SELECT id, person, created, created, expires, '', '' FROM session_before;
INSERT INTO admission (secret_hash, session, expires) SELECT secret_hash, id, expires FROM session_before;
DROP TABLE session_before;
