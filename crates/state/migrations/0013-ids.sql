-- By which members know their messages: random, so that it tells nothing of what others are told. Empty of the operator's
-- and of those of before, which are known by their number.
ALTER TABLE alert_messages ADD COLUMN id TEXT NOT NULL DEFAULT '';
