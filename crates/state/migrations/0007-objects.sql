-- Objects that others share (STIX 2.1, events of MISP), with the bytes as they came. Times are microseconds since 1970.
CREATE TABLE objects (
    -- When it was added, by the clock of the server that did: no two are of one moment, and later ones are later.
    added BIGINT PRIMARY KEY,
    collection TEXT NOT NULL,
    -- Whose chain of versions this is of: what one gives never replaces what another gave.
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    -- When it was modified, else created; 0 of what has neither.
    version BIGINT NOT NULL,
    version_text TEXT NOT NULL,
    kind TEXT NOT NULL,
    form TEXT NOT NULL,
    digest TEXT NOT NULL,
    body {bytes} NOT NULL,
    -- What rules decide by, and the label that it bears.
    marking TEXT NOT NULL,
    label TEXT NOT NULL,
    -- The organisation that gave it; empty: this installation.
    giver TEXT NOT NULL,
    given_by TEXT NOT NULL,
    origin TEXT NOT NULL,
    -- When what it tells was so, at the latest when it was added.
    seen BIGINT NOT NULL,
    revoked BIGINT NOT NULL,
    valid_from BIGINT,
    valid_until BIGINT,
    title TEXT NOT NULL,
    UNIQUE (collection, source, id, version)
);
CREATE INDEX objects_page ON objects (collection, added);
CREATE INDEX objects_id ON objects (id);
CREATE INDEX objects_giver ON objects (giver);
CREATE INDEX objects_marking ON objects (marking);
-- Addresses that an object names, from low to high; searched where it says something about them.
CREATE TABLE object_places (
    object BIGINT NOT NULL REFERENCES objects (added),
    low {bytes} NOT NULL,
    high {bytes} NOT NULL,
    asn BIGINT,
    searched BIGINT NOT NULL,
    PRIMARY KEY (object, low, high)
);
CREATE INDEX object_places_at ON object_places (low, high);
-- Names, addresses of pages and hashes that an object says something about.
CREATE TABLE object_values (
    object BIGINT NOT NULL REFERENCES objects (added),
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (object, kind, value)
);
CREATE INDEX object_values_at ON object_values (value);
-- What became of what was given, for whoever gave it.
CREATE TABLE object_statuses (
    id TEXT PRIMARY KEY,
    giver TEXT NOT NULL,
    given_by TEXT NOT NULL,
    made BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX object_statuses_giver ON object_statuses (giver, made);
-- How far collections of others were read.
CREATE TABLE object_pulls (
    source TEXT PRIMARY KEY,
    after TEXT NOT NULL,
    pulled BIGINT NOT NULL
);
CREATE TABLE object_head (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    last_added BIGINT NOT NULL
);
INSERT INTO object_head (only_one, last_added) VALUES (1, 0);
