-- What was done to accounts, and which rules counted from when.
-- Only ever added to, in the transaction of the change. The ledger takes them in by number.
CREATE TABLE account_events (
    number BIGINT PRIMARY KEY,
    happened BIGINT NOT NULL,
    actor TEXT NOT NULL,
    account TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
);
-- The last of their numbers: who adds takes this row first, so that they are seen in order.
CREATE TABLE account_head (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    last_number BIGINT NOT NULL
);
INSERT INTO account_head (only_one, last_number) VALUES (1, 0);
-- The last of account_events that an entry tells of, and the set of rules that the last entry of rules named.
ALTER TABLE ledger_head ADD COLUMN accounts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_head ADD COLUMN policy TEXT NOT NULL DEFAULT '';
-- Whom an entry concerns: organisations as organisation/ID, accounts as account/NAME, and everything done to accounts as
-- accounts. They go with the words of an entry: they would tell who it was.
CREATE TABLE ledger_concerns (
    concern TEXT NOT NULL,
    place BIGINT NOT NULL,
    PRIMARY KEY (concern, place)
);
CREATE INDEX ledger_concerns_place ON ledger_concerns (place);
