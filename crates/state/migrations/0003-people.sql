-- Who may sign in. Nobody is ever taken out: what the ledger says of a person must go on meaning the same.
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    administrator BIGINT NOT NULL,
    analyst BIGINT NOT NULL,
    password TEXT,
    created BIGINT NOT NULL,
    disabled BIGINT
);
-- For which organisations a person acts.
CREATE TABLE memberships (
    person TEXT NOT NULL REFERENCES people (id),
    organisation TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (person, organisation)
);
-- Of a session's token only the hash is kept; the id is what its owner calls it by.
CREATE TABLE sessions (
    hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    person TEXT NOT NULL REFERENCES people (id),
    way TEXT NOT NULL,
    purpose TEXT NOT NULL,
    source TEXT NOT NULL,
    agent TEXT NOT NULL,
    created BIGINT NOT NULL,
    used BIGINT NOT NULL,
    ends BIGINT NOT NULL
);
CREATE INDEX sessions_of ON sessions (person);
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES people (id),
    label TEXT NOT NULL,
    organisation TEXT,
    purpose TEXT NOT NULL,
    writes BIGINT NOT NULL,
    kinds TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT,
    used BIGINT
);
CREATE INDEX api_keys_of ON api_keys (person);
CREATE TABLE passkeys (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES people (id),
    label TEXT NOT NULL,
    fixed {bytes} NOT NULL,
    moving {bytes} NOT NULL,
    created BIGINT NOT NULL,
    used BIGINT
);
CREATE INDEX passkeys_of ON passkeys (person);
-- Accounts elsewhere (OpenID Connect) that are a person's.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES people (id),
    created BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
-- Sign-ins and registrations that are under way, for whichever server sees their end.
CREATE TABLE ceremonies (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    person TEXT,
    data {bytes} NOT NULL,
    ends BIGINT NOT NULL
);
-- Tries to sign in: by source, and by account and source.
CREATE TABLE attempts (
    what TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last BIGINT NOT NULL
);
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    secret TEXT NOT NULL
);
CREATE INDEX attempts_last ON attempts (last);
