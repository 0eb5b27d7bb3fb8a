-- What a queue between the outbox and the refresh needs to know of a row.

ALTER TABLE outbox
    ADD COLUMN trace text,
    ADD COLUMN claims smallint NOT NULL DEFAULT 0,
    ADD COLUMN reason text;
COMMENT ON COLUMN outbox.trace IS 'The trace of the first request in it that has one.';
COMMENT ON COLUMN outbox.claims IS 'How often it was claimed and not released since. Sent once more, it waits twice as long: a slow queue must not fill with copies.';
COMMENT ON COLUMN outbox.reason IS 'Why it is held (leased_until infinity): it could not be read.';

-- With a last argument of its own; a node that does not know it yet calls the same function.
DROP FUNCTION write_batch(
    text[], integer[], integer[], bigint[], bytea[], bigint[], bigint[], bigint[], bigint[], bytea[],
    text[], integer[], integer[], text[], text[], bigint[], bytea, bytea[], bytea[], bytea[], bytea[]
);

-- Writes each row of the batch once.
--   entries      the rows that changed; emptied: placeholders that no submission filled
--   profiles     the profiles that changed
--   payload      the outbox row, or NULL if nothing changed; trace: of whom
--   claimed      idempotency ids that this batch answered for the first time, with what was sent and the answers; unclaimed: refused ones
CREATE FUNCTION write_batch(
    players text[], player_boards integer[], seasons integer[], seqs bigint[], sort_keys bytea[],
    v1 bigint[], v2 bigint[], v3 bigint[], v4 bigint[], new_metadata bytea[],
    empty_players text[], empty_boards integer[], empty_seasons integer[],
    profiles text[], profile_names text[], profile_seqs bigint[],
    payload bytea, claimed bytea[], bodies bytea[], results bytea[], unclaimed bytea[],
    trace text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    today    integer := extract(epoch FROM clock_timestamp())::bigint / 86400;
    guarded  integer := extract(epoch FROM clock_timestamp() - interval '10 minutes')::bigint / 86400;
BEGIN
    UPDATE entry SET seq = u.seq, sort_key = u.sort_key, c1 = u.v1, c2 = u.v2, c3 = u.v3, c4 = u.v4,
                     metadata = u.metadata, updated_at = clock_timestamp()
    FROM unnest(players, player_boards, seasons, seqs, sort_keys, v1, v2, v3, v4, new_metadata)
        AS u(player, board_id, season, seq, sort_key, v1, v2, v3, v4, metadata)
    WHERE entry.player = u.player AND entry.board_id + 0 = u.board_id AND entry.season + 0 = u.season;

    IF cardinality(empty_players) > 0 THEN
        DELETE FROM entry USING unnest(empty_players, empty_boards, empty_seasons) AS u(player, board_id, season)
        WHERE entry.player = u.player AND entry.board_id + 0 = u.board_id AND entry.season + 0 = u.season AND entry.seq = 0;
    END IF;
    IF cardinality(profiles) > 0 THEN
        UPDATE player SET name = u.name, seq = u.seq
        FROM unnest(profiles, profile_names, profile_seqs) AS u(player, name, seq) WHERE player.player = u.player;
    END IF;
    IF payload IS NOT NULL THEN
        INSERT INTO outbox (payload, trace) VALUES (payload, trace);
    END IF;
    IF cardinality(claimed) > 0 THEN
        UPDATE idempotency AS i SET body = u.body, result = u.result
        FROM unnest(claimed, bodies, results) AS u(id, body, result)
        WHERE i.id = u.id AND i.day + 0 IN (today, guarded);
    END IF;
    IF cardinality(unclaimed) > 0 THEN
        DELETE FROM idempotency AS i
        WHERE i.id = ANY (unclaimed) AND i.result IS NULL AND i.day + 0 IN (today, guarded);
    END IF;
END $$;
