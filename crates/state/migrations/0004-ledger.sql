CREATE TABLE ledger_todo (only_one BIGINT PRIMARY KEY);
