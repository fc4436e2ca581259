-- The ledger: one row for each entry, from 0 without gaps. What an entry says may go; its hashes never do. Hashes are those
-- of all complete subtrees of the Merkle tree that end with this entry, 32 bytes each, its own first. Times are
-- microseconds since 1970.
CREATE TABLE ledger_entries (
    place BIGINT PRIMARY KEY,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    data {bytes},
    hashes {bytes} NOT NULL
);
-- How many there are: who appends takes this row first, so that one appends at a time. And the last of register_events
-- that an entry tells of.
CREATE TABLE ledger_head (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    size BIGINT NOT NULL,
    register BIGINT NOT NULL
);
INSERT INTO ledger_head (only_one, size, register) VALUES (1, 0, 0);
-- Signed checkpoints, as they were given away. Two servers may sign the same size with keys of their own.
CREATE TABLE ledger_checkpoints (
    size BIGINT NOT NULL,
    signer TEXT NOT NULL,
    time BIGINT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (size, signer)
);
