-- Signing in by way of an identity provider: when an account there was used last.
ALTER TABLE identities ADD COLUMN used BIGINT;
CREATE INDEX identities_of ON identities (person);
-- When the owner of a session showed last that it is them; none: when it began.
ALTER TABLE sessions ADD COLUMN confirmed BIGINT;
