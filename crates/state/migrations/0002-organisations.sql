CREATE TABLE organisations_todo (only_one BIGINT PRIMARY KEY);
