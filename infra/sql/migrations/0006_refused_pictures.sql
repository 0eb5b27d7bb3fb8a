-- Whoever sends a picture may ask what became of it.

ALTER TABLE player
    ADD COLUMN refused_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN refused text;
COMMENT ON COLUMN player.refused_at IS 'When the newest picture that was refused was asked for: Unix time in milliseconds.';
COMMENT ON COLUMN player.refused IS 'Why it was refused.';
