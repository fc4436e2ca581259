-- Where somebody wants to be told of what saved queries fired, and how. Times are microseconds since 1970.
CREATE TABLE alert_channels (
    number BIGINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- Of which server: numbers of events and saved queries are those of its state folder.
    server TEXT NOT NULL,
    said TEXT NOT NULL,
    secret TEXT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    -- The last event that was looked at for it, and when a message was last made.
    after BIGINT NOT NULL,
    made BIGINT NOT NULL
);
-- What was told lately, so that it is not told again.
CREATE TABLE alert_told (
    channel BIGINT NOT NULL REFERENCES alert_channels (number),
    what TEXT NOT NULL,
    told BIGINT NOT NULL,
    PRIMARY KEY (channel, what)
);
-- Messages: waiting to be sent from due on, sent, or given up.
CREATE TABLE alert_messages (
    number BIGINT PRIMARY KEY,
    channel BIGINT NOT NULL REFERENCES alert_channels (number),
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    events TEXT NOT NULL,
    made BIGINT NOT NULL,
    due BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    state TEXT NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX alert_messages_due ON alert_messages (state, due);
CREATE INDEX alert_messages_channel ON alert_messages (channel, number);
-- The last number of a channel or message.
CREATE TABLE alert_numbers (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    last_number BIGINT NOT NULL
);
INSERT INTO alert_numbers (only_one, last_number) VALUES (1, 0);
