-- What devices measured, as pages: many messages of one device in one row (store/history/page). What was in `reading`
-- is put here by the program, which then drops it.
CREATE TABLE page (
    -- The last ledger entry of the page; a message is of one device, so no two pages share one.
    last    bigint PRIMARY KEY,
    device  text COLLATE "C" NOT NULL,
    first   bigint NOT NULL,
    -- The first and the last arrival.
    from_us bigint NOT NULL,
    to_us   bigint NOT NULL,
    -- How often it was merged; 255 is never again.
    level   integer NOT NULL,
    -- Sums by the hour and by the minute; NULL where the page itself is short.
    hours   bytea,
    minutes bytea,
    body    bytea NOT NULL
);
CREATE INDEX page_by_device ON page (device, last, first, from_us, to_us);
-- It is packed already.
ALTER TABLE page ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN hours SET STORAGE EXTERNAL,
    ALTER COLUMN minutes SET STORAGE EXTERNAL;

-- The newest value of every sensor of a device, as one page.
CREATE TABLE newest (
    device text COLLATE "C" PRIMARY KEY,
    body   bytea NOT NULL
);
