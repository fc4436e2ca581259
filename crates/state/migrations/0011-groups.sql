-- Sets of organisations that entries of the ledger name by their digest: sorted ids, each with a newline after it, as the
-- digest is of. Each is kept once, for as long as an entry says that it concerns group/DIGEST.
CREATE TABLE ledger_groups (
    sha256 TEXT PRIMARY KEY,
    ids TEXT NOT NULL
);
-- Who acted for an organisation before: their looks concern it too.
CREATE TABLE former_members (
    organisation TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES people (id),
    PRIMARY KEY (organisation, person)
);
