-- Notices: one message to one responsible party, what it told, what came of it. Times are microseconds since 1970.
CREATE TABLE notices (
    number BIGINT PRIMARY KEY,
    -- Drafts that were made together.
    run BIGINT NOT NULL,
    -- In subject and Message-ID, so that answers are found.
    token TEXT NOT NULL UNIQUE,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    -- Why this party: JSON.
    party TEXT NOT NULL,
    label TEXT NOT NULL,
    purposes TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    findings BIGINT NOT NULL,
    -- How many different persons must release it, and how many notices of a day one person may release alone.
    needs BIGINT NOT NULL,
    alone BIGINT NOT NULL,
    drafted BIGINT NOT NULL,
    drafted_by TEXT NOT NULL,
    state TEXT NOT NULL,
    released BIGINT,
    -- Not before this moment; while somebody sends it, until when that one has it alone.
    due BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    error TEXT NOT NULL,
    sent BIGINT,
    sha256 TEXT
);
CREATE INDEX notices_state ON notices (state, due);
CREATE INDEX notices_organisation ON notices (organisation, number);
CREATE INDEX notices_run ON notices (run);
CREATE TABLE notice_findings (
    notice BIGINT NOT NULL REFERENCES notices (number),
    place BIGINT NOT NULL,
    -- Sixteen bytes; IPv4 as mapped IPv6.
    address {bytes} NOT NULL,
    service TEXT NOT NULL,
    concern TEXT NOT NULL,
    -- What was seen, as it was told: JSON.
    said TEXT NOT NULL,
    PRIMARY KEY (notice, place)
);
CREATE INDEX notice_findings_address ON notice_findings (address);
CREATE TABLE notice_files (
    notice BIGINT NOT NULL REFERENCES notices (number),
    name TEXT NOT NULL,
    media TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (notice, name)
);
CREATE TABLE notice_releases (
    notice BIGINT NOT NULL REFERENCES notices (number),
    person TEXT NOT NULL,
    released BIGINT NOT NULL,
    PRIMARY KEY (notice, person)
);
-- What a party was told, or is about to be: taken with the draft, given back when it is cancelled.
CREATE TABLE notice_told (
    organisation TEXT NOT NULL,
    service TEXT NOT NULL,
    concern TEXT NOT NULL,
    notice BIGINT NOT NULL REFERENCES notices (number),
    told BIGINT NOT NULL,
    PRIMARY KEY (organisation, service, concern)
);
CREATE INDEX notice_told_notice ON notice_told (notice);
-- What somebody said of it; place 0 is all of a notice. Rows are added and never changed: the last one counts.
CREATE TABLE notice_replies (
    number BIGINT PRIMARY KEY,
    notice BIGINT NOT NULL REFERENCES notices (number),
    place BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    note TEXT NOT NULL,
    happened BIGINT NOT NULL,
    actor TEXT NOT NULL
);
CREATE INDEX notice_replies_notice ON notice_replies (notice, number);
-- Who did what with which notice. Rows are added and never changed.
CREATE TABLE notice_events (
    number BIGINT PRIMARY KEY,
    notice BIGINT,
    happened BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX notice_events_notice ON notice_events (notice, number);
-- Who wants no notices.
CREATE TABLE notice_optouts (
    organisation TEXT PRIMARY KEY REFERENCES organisations (id),
    since BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL
);
-- The last number of a notice, run, reply or event.
CREATE TABLE notice_numbers (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    last_number BIGINT NOT NULL
);
INSERT INTO notice_numbers (only_one, last_number) VALUES (1, 0);
