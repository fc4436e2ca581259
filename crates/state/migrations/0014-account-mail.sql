-- Where somebody is told of changes of their own account: an address that counts, and one that waits for its code.
CREATE TABLE account_mails (
    person TEXT NOT NULL REFERENCES people (id),
    -- 1, or 0 while its owner has not given the code.
    confirmed BIGINT NOT NULL,
    mail TEXT NOT NULL,
    language TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (person, confirmed)
);
