-- The top of a board, from the cached rows where they still stand. Only scripts fill that cache: a reader that did so
-- from outside could put an older top over a newer one.
-- KEYS meta zset hash cache   ARGV window, seconds of the cached top
-- Answers {epoch, version, total, rows (packed)} or {reason}.
local board, reason = whole(KEYS[1], KEYS[2], KEYS[3])
if not board then return { reason } end
local rows = redis.call('GET', KEYS[4])
if not rows then
  rows = cmsgpack.pack(rows_of(KEYS[3], redis.call('ZRANGE', KEYS[2], 0, tonumber(ARGV[1]) - 1), board.width))
  redis.call('SET', KEYS[4], rows, 'EX', ARGV[2])
end
return { board.epoch, board.version, board.total, rows }
