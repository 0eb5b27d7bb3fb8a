-- The truth. All ranked state is by (board, season); board ids are internal and never used again.

CREATE SEQUENCE change_seq CACHE 1;
COMMENT ON SEQUENCE change_seq IS 'Orders all changes of entries and profiles. CACHE 1: a connection must not hold older numbers back.';

CREATE SEQUENCE epoch_seq CACHE 1;

CREATE TABLE board (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text COLLATE "C" NOT NULL,
    document    jsonb NOT NULL,
    revision    integer NOT NULL DEFAULT 1,
    season      integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz
);
CREATE UNIQUE INDEX board_name ON board (name) WHERE deleted_at IS NULL;

CREATE TABLE season (
    board_id    integer NOT NULL REFERENCES board,
    season      integer NOT NULL,
    epoch       bigint NOT NULL DEFAULT nextval('epoch_seq'),
    active_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (board_id, season)
);
COMMENT ON COLUMN season.epoch IS 'The epoch that the ranking in Redis must carry to pass for this board.';
COMMENT ON COLUMN season.active_at IS 'When it last changed, to the minute.';

CREATE TABLE player (
    player      text COLLATE "C" PRIMARY KEY,
    name        text,
    country     text,
    picture     text,
    seq         bigint NOT NULL DEFAULT 0
);

CREATE TABLE entry (
    player      text COLLATE "C" NOT NULL,
    board_id    integer NOT NULL,
    season      integer NOT NULL,
    seq         bigint NOT NULL DEFAULT 0,
    sort_key    bytea,
    c1          bigint,
    c2          bigint,
    c3          bigint,
    c4          bigint,
    metadata    bytea,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (player, board_id, season)
) WITH (fillfactor = 80);
COMMENT ON TABLE entry IS 'One player on one board. A removed entry stays as a tombstone: sort_key NULL under a new seq.';
COMMENT ON COLUMN entry.sort_key IS 'Columns and seq as order-preserving bytes: smaller ranks better (realtime/core/sortkey.py).';
CREATE INDEX entry_order ON entry (board_id, season, sort_key);

CREATE TABLE idempotency (
    slot        smallint NOT NULL,
    day         integer NOT NULL,
    id          bytea NOT NULL,
    body        bytea NOT NULL,
    result      bytea,
    PRIMARY KEY (id, day, slot)
) PARTITION BY LIST (slot);
COMMENT ON TABLE idempotency IS 'Keys of a day and the day before; slot = day % 3, and the worker empties the third partition.';
CREATE TABLE idempotency_0 PARTITION OF idempotency FOR VALUES IN (0);
CREATE TABLE idempotency_1 PARTITION OF idempotency FOR VALUES IN (1);
CREATE TABLE idempotency_2 PARTITION OF idempotency FOR VALUES IN (2);

CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payload       bytea NOT NULL,
    leased_until  timestamptz NOT NULL DEFAULT '-infinity',
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Rows come and go by the thousand: let vacuum follow closely, or claims would wade through dead rows.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE MATERIALIZED VIEW leaderboard_ranking AS
SELECT top.board_id, top.season, top.player, top.seq, top.sort_key, top.c1, top.c2, top.c3, top.c4,
       profile.name, profile.country, profile.picture
FROM season
JOIN board ON board.id = season.board_id AND board.season = season.season AND board.deleted_at IS NULL
CROSS JOIN LATERAL (
    SELECT * FROM entry
    WHERE entry.board_id = season.board_id AND entry.season = season.season AND entry.sort_key IS NOT NULL
    ORDER BY entry.sort_key
    LIMIT 1000
) AS top
LEFT JOIN player AS profile ON profile.player = top.player
WHERE season.active_at > now() - interval '24 hours';
CREATE UNIQUE INDEX leaderboard_ranking_key ON leaderboard_ranking (board_id, season, player);
CREATE INDEX leaderboard_ranking_order ON leaderboard_ranking (board_id, season, sort_key);

CREATE TABLE view_refresh (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    refreshed_at  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO view_refresh DEFAULT VALUES;

CREATE TABLE timeline (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id            text NOT NULL
);
COMMENT ON TABLE timeline IS 'On which timeline of the server the sequences were last known to be whole.';
INSERT INTO timeline (id) VALUES (substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8));
