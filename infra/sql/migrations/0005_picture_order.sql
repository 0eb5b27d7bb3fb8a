-- Uploads are looked at in any order, some of them again: the picture that was asked for last stays.

ALTER TABLE player ADD COLUMN picture_at bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN player.picture_at IS 'When the picture was asked for, or taken away: Unix time in milliseconds.';
