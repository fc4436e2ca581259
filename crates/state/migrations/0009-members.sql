-- Saved queries, channels and reports of members. Times are microseconds since 1970.
CREATE TABLE member_watches (
    number BIGINT PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    -- For what it reads.
    purpose TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    -- What was known when it was saved or changed: it tells of what arrives later.
    begins BIGINT NOT NULL,
    UNIQUE (organisation, name)
);
-- What channels of members have besides those of the operator. They are no server's: any may make and send their messages.
CREATE TABLE member_channels (
    number BIGINT PRIMARY KEY REFERENCES alert_channels (number),
    organisation TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    begins BIGINT NOT NULL,
    -- By what it is known that mail is wanted there: contact, code, or nothing yet. Other ways need nothing.
    shown TEXT NOT NULL,
    code TEXT NOT NULL,
    -- The last month of which a report was made for it, as 2026-10.
    reported TEXT NOT NULL,
    UNIQUE (organisation, name)
);
-- How far a channel is with a saved query.
CREATE TABLE member_places (
    channel BIGINT NOT NULL REFERENCES member_channels (number),
    watch BIGINT NOT NULL REFERENCES member_watches (number),
    place TEXT NOT NULL,
    PRIMARY KEY (channel, watch)
);
-- Codes that were mailed lately, so that nobody's mailbox is filled.
CREATE TABLE member_codes (
    mail TEXT NOT NULL,
    organisation TEXT NOT NULL,
    sent BIGINT NOT NULL
);
CREATE INDEX member_codes_mail ON member_codes (mail);
