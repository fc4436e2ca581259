-- Which installation this is, how often its ranges were cut, and the last epoch that was given.
CREATE TABLE installation (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    id TEXT NOT NULL,
    cut BIGINT NOT NULL,
    epoch BIGINT NOT NULL
);
-- One row for each server and kind of work. Times are microseconds by this database's clock.
CREATE TABLE servers (
    name TEXT NOT NULL,
    work TEXT NOT NULL,
    instance TEXT NOT NULL,
    address TEXT NOT NULL,
    program TEXT NOT NULL,
    started BIGINT NOT NULL,
    heard BIGINT NOT NULL,
    gone BIGINT NOT NULL,
    applied BIGINT,
    newest BIGINT,
    PRIMARY KEY (name, work)
);
-- Ranges of addresses, as 32 hexadecimal digits, IPv4 as ::ffff:a.b.c.d; no gaps, no overlaps. One row more, of no
-- addresses, for the work on the whole.
CREATE TABLE ranges (
    first TEXT PRIMARY KEY,
    last TEXT NOT NULL,
    holder TEXT,
    epoch BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
