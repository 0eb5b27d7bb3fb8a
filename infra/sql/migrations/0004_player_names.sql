-- Who runs a board finds a player by the beginning of a name, whatever its case. A collation that comes with PostgreSQL itself: the
-- order of an index must not change with the system's locales.
CREATE INDEX player_name ON player (lower(name COLLATE "pg_c_utf8")) WHERE name IS NOT NULL;
