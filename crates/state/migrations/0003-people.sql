CREATE TABLE people_todo (only_one BIGINT PRIMARY KEY);
