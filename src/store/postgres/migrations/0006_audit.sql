-- What people and scripts did, or were refused. Rows are added, and go by age alone.

CREATE TABLE audit (
    key     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      bigint NOT NULL,
    who     text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    proof   text COLLATE "C" NOT NULL,
    token   text COLLATE "C",
    peer    text NOT NULL,
    what    text COLLATE "C" NOT NULL,
    device  text COLLATE "C",
    target  text,
    result  text NOT NULL
);
CREATE INDEX audit_who ON audit (who);
CREATE INDEX audit_what ON audit (what);
CREATE INDEX audit_device ON audit (device) WHERE device IS NOT NULL;

CREATE FUNCTION audit_stays_as_it_was() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to';
END $$;
CREATE TRIGGER audit_stays_as_it_was BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_stays_as_it_was();
