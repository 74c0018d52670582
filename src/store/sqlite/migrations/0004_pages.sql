-- What devices measured, as pages: many messages of one device in one row (store/history/page). What was in `reading`
-- and `sensor` is put here by the program, which then drops them.
CREATE TABLE page (
    -- The last ledger entry of the page; a message is of one device, so no two pages share one. What is filed goes to
    -- the end of the table, and old pages are found at its front.
    last    INTEGER PRIMARY KEY,
    device  INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    -- The first and the last arrival.
    from_us INTEGER NOT NULL,
    to_us   INTEGER NOT NULL,
    -- How often it was merged; 255 is never again.
    level   INTEGER NOT NULL,
    -- Sums by the hour and by the minute; NULL where the page itself is short.
    hours   BLOB,
    minutes BLOB,
    body    BLOB NOT NULL
) STRICT;
CREATE INDEX page_of ON page (device, first, from_us, to_us, level);

-- The newest value of every sensor of a device, as one page.
CREATE TABLE newest (
    device INTEGER PRIMARY KEY,
    body   BLOB NOT NULL
) STRICT;
