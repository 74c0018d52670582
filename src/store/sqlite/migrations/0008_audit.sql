-- What people and scripts did, or were refused. Rows are added, and go by age alone.

CREATE TABLE audit (
    key     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us   INTEGER NOT NULL,
    who     TEXT NOT NULL,
    user_id TEXT,
    proof   TEXT NOT NULL,
    token   TEXT,
    peer    TEXT NOT NULL,
    what    TEXT NOT NULL,
    device  TEXT,
    target  TEXT,
    result  TEXT NOT NULL
) STRICT;
CREATE INDEX audit_who ON audit (who);
CREATE INDEX audit_what ON audit (what);
CREATE INDEX audit_device ON audit (device) WHERE device IS NOT NULL;

CREATE TRIGGER audit_stays_as_it_was BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
