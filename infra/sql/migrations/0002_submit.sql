-- A micro-batch in two calls of one transaction. All locks of several rows are taken in one order: boards, idempotency
-- keys, profiles, entries, each sorted; so two nodes never wait for each other in a ring.
--
-- Entries are looked up as `board_id + 0`, keys as `day + 0`: the sum keeps the planner off the index that orders a board, which looks as cheap
-- as the primary key while a table is young, and makes every look-up read the whole board once it has grown.

-- Takes every lock of the batch and tells what stands.
--   boards       ids, distinct
--   keys, bodies idempotency ids and digests of what was sent under them, distinct ids
--   players, player_boards, seasons, names: the batch's entries, distinct; a name or NULL for each, or NULL for no names
--   draws        how many seqs to draw, once all locks are held
-- profiles, profile_*, countries, pictures: the locked ones. Only they may be written: a name that was equal before the locks
-- and differs after them was changed by somebody who came later, and to write it now would take a lock out of order.
-- revisions: of `boards`, NULL where deleted. stored_*: what earlier submissions under `keys` were answered.
CREATE FUNCTION open_batch(
    boards integer[], keys bytea[], bodies bytea[],
    players text[], player_boards integer[], seasons integer[], names text[], draws integer,
    OUT revisions integer[], OUT stored_keys bytea[], OUT stored_bodies bytea[], OUT stored_results bytea[],
    OUT seqs bigint[], OUT ranked boolean[], OUT c1 bigint[], OUT c2 bigint[], OUT c3 bigint[], OUT c4 bigint[],
    OUT metadata bytea[], OUT profiles text[], OUT profile_names text[], OUT countries text[], OUT pictures text[],
    OUT profile_seqs bigint[],
    OUT drawn bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    today    integer := extract(epoch FROM clock_timestamp())::bigint / 86400;
    guarded  integer := extract(epoch FROM clock_timestamp() - interval '10 minutes')::bigint / 86400;
    unsure   text[];
BEGIN
    -- An edit of a board takes this lock exclusively: the document a batch was checked against holds until it commits.
    PERFORM pg_advisory_xact_lock_shared(1, b) FROM (SELECT b FROM unnest(boards) AS b ORDER BY b) AS ordered;
    SELECT array_agg(board.revision ORDER BY u.ord) INTO revisions
    FROM unnest(boards) WITH ORDINALITY AS u(id, ord)
    LEFT JOIN board ON board.id = u.id AND board.deleted_at IS NULL;

    IF cardinality(keys) > 0 THEN
        -- For ten minutes after midnight a key is claimed under both days, so that two submissions on either side meet.
        INSERT INTO idempotency (slot, day, id, body)
        SELECT d % 3, d, u.id, u.body
        FROM unnest(keys, bodies) AS u(id, body), (SELECT DISTINCT unnest(ARRAY[guarded, today]) AS d) AS days
        ORDER BY u.id, d
        ON CONFLICT DO NOTHING;
        -- A later statement sees what the winner of a race has committed meanwhile.
        SELECT array_agg(id), array_agg(body), array_agg(result) INTO stored_keys, stored_bodies, stored_results
        FROM (
            SELECT DISTINCT ON (i.id) i.id, i.body, i.result
            FROM unnest(keys) AS u(id)
            JOIN idempotency AS i ON i.id = u.id AND i.day + 0 IN (today, today - 1) AND i.result IS NOT NULL
            ORDER BY i.id, i.day
        ) AS stored;
    END IF;

    -- A profile is locked where it may be written, and where the entry is new: a change of the profile must see the
    -- entry, or the entry the change.
    IF names IS NULL THEN
        SELECT array_agg(DISTINCT u.player) INTO unsure
        FROM unnest(players, player_boards, seasons) AS u(player, board_id, season)
        LEFT JOIN entry AS e ON e.player = u.player AND e.board_id + 0 = u.board_id AND e.season + 0 = u.season
        WHERE e.player IS NULL;
    ELSE
        SELECT array_agg(DISTINCT u.player) INTO unsure
        FROM unnest(players, player_boards, seasons, names) AS u(player, board_id, season, name)
        LEFT JOIN player ON player.player = u.player
        LEFT JOIN entry AS e ON e.player = u.player AND e.board_id + 0 = u.board_id AND e.season + 0 = u.season
        WHERE e.player IS NULL OR (u.name IS NOT NULL AND u.name IS DISTINCT FROM player.name);
    END IF;
    IF unsure IS NOT NULL THEN
        INSERT INTO player (player) SELECT p FROM unnest(unsure) AS p ORDER BY p COLLATE "C" ON CONFLICT DO NOTHING;
        PERFORM FROM player WHERE player.player = ANY (unsure) ORDER BY player.player FOR NO KEY UPDATE;
        SELECT array_agg(p.player), array_agg(p.name), array_agg(p.country), array_agg(p.picture), array_agg(p.seq)
        INTO profiles, profile_names, countries, pictures, profile_seqs
        FROM player AS p WHERE p.player = ANY (unsure);
        INSERT INTO entry (player, board_id, season)
        SELECT u.player, u.board_id, u.season
        FROM unnest(players, player_boards, seasons) AS u(player, board_id, season)
        WHERE u.player = ANY (unsure) AND NOT EXISTS (
            SELECT FROM entry AS e WHERE e.player = u.player AND e.board_id + 0 = u.board_id AND e.season + 0 = u.season)
        ORDER BY u.player COLLATE "C", u.board_id, u.season
        ON CONFLICT DO NOTHING;
    END IF;

    WITH locked AS MATERIALIZED (
        SELECT u.ord, e.*
        FROM unnest(players, player_boards, seasons) WITH ORDINALITY AS u(player, board_id, season, ord)
        JOIN entry AS e ON e.player = u.player AND e.board_id + 0 = u.board_id AND e.season + 0 = u.season
        ORDER BY e.player, e.board_id, e.season
        FOR NO KEY UPDATE OF e
    )
    SELECT array_agg(l.seq ORDER BY l.ord), array_agg(l.sort_key IS NOT NULL ORDER BY l.ord),
           array_agg(l.c1 ORDER BY l.ord), array_agg(l.c2 ORDER BY l.ord),
           array_agg(l.c3 ORDER BY l.ord), array_agg(l.c4 ORDER BY l.ord),
           array_agg(l.metadata ORDER BY l.ord)
    INTO seqs, ranked, c1, c2, c3, c4, metadata
    FROM locked AS l;

    -- Only now: a seq drawn before the locks could be higher than that of a batch that commits later.
    drawn := ARRAY(SELECT nextval('change_seq') FROM generate_series(1, draws));
END $$;

-- Writes each row of the batch once.
--   entries      the rows that changed; emptied: placeholders that no submission filled
--   profiles     the profiles that changed
--   payload      the outbox row, or NULL if nothing changed
--   claimed      idempotency ids that this batch answered for the first time, with what was sent and the answers; unclaimed: refused ones
CREATE FUNCTION write_batch(
    players text[], player_boards integer[], seasons integer[], seqs bigint[], sort_keys bytea[],
    v1 bigint[], v2 bigint[], v3 bigint[], v4 bigint[], new_metadata bytea[],
    empty_players text[], empty_boards integer[], empty_seasons integer[],
    profiles text[], profile_names text[], profile_seqs bigint[],
    payload bytea, claimed bytea[], bodies bytea[], results bytea[], unclaimed bytea[]
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
        INSERT INTO outbox (payload) VALUES (payload);
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
