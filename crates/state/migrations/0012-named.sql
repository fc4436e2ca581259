-- How many addresses, names and hashes the objects of each giver name in all.
CREATE TABLE object_givers (
    giver TEXT PRIMARY KEY,
    named BIGINT NOT NULL
);
INSERT INTO object_givers (giver, named)
    SELECT giver, SUM((SELECT COUNT(*) FROM object_places WHERE object = added)
        + (SELECT COUNT(*) FROM object_values WHERE object = added)) FROM objects GROUP BY giver;
