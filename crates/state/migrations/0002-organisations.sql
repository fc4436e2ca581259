-- Counts up with every change to what follows: the numbers of claims, contacts and events come from it, so whoever read
-- at this number has read all.
CREATE TABLE register (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    last_number BIGINT NOT NULL
);
INSERT INTO register (only_one, last_number) VALUES (1, 0);
-- Times are microseconds since 1970, by the clock of whoever decided.
CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    name_ja TEXT NOT NULL,
    name_en TEXT NOT NULL,
    sector TEXT,
    kind TEXT NOT NULL,
    own BIGINT NOT NULL,
    created BIGINT NOT NULL,
    closed BIGINT
);
-- What an organisation is related to, from when until when: whom it acts for, audiences it belongs to, purposes agreed.
CREATE TABLE relations (
    organisation TEXT NOT NULL REFERENCES organisations (id),
    relation TEXT NOT NULL,
    target TEXT NOT NULL,
    begins BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    PRIMARY KEY (organisation, relation, target, begins)
);
CREATE INDEX relations_target ON relations (relation, target);
CREATE TABLE audiences (
    id TEXT PRIMARY KEY,
    name_ja TEXT NOT NULL,
    name_en TEXT NOT NULL,
    hidden BIGINT NOT NULL,
    created BIGINT NOT NULL,
    closed BIGINT
);
CREATE TABLE contacts (
    number BIGINT PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    mail TEXT NOT NULL,
    phone TEXT NOT NULL,
    language TEXT NOT NULL,
    confirmed BIGINT NOT NULL
);
CREATE INDEX contacts_organisation ON contacts (organisation);
-- Claims as they stand now. What was held counts from valid_from until before valid_until, whatever became of the claim.
CREATE TABLE claims (
    number BIGINT PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    subject TEXT NOT NULL,
    standing TEXT NOT NULL,
    method TEXT,
    asked BIGINT NOT NULL,
    asked_by TEXT NOT NULL,
    token TEXT,
    token_until BIGINT,
    contested_by BIGINT,
    decided BIGINT,
    decided_by TEXT,
    valid_from BIGINT,
    valid_until BIGINT,
    checks BIGINT NOT NULL,
    first_check BIGINT NOT NULL
);
CREATE INDEX claims_subject ON claims (subject);
CREATE INDEX claims_organisation ON claims (organisation);
-- What was done to all of these, by whom and when. Rows are added and never changed.
CREATE TABLE register_events (
    number BIGINT PRIMARY KEY,
    happened BIGINT NOT NULL,
    actor TEXT NOT NULL,
    organisation TEXT,
    claim BIGINT,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX register_events_organisation ON register_events (organisation);
CREATE INDEX register_events_claim ON register_events (claim);
