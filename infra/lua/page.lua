-- A stretch of a board.
-- KEYS meta zset hash   ARGV offset, limit, or the player around whom (or ''), radius
-- Answers {epoch, version, total, position of the first row, its shared rank, rows (packed)}, {reason}, or
-- {'absent', epoch, version, total} where the player is not ranked.
local board, reason = whole(KEYS[1], KEYS[2], KEYS[3])
if not board then return { reason } end
local offset, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if ARGV[3] ~= '' then
  local record = redis.call('HGET', KEYS[3], ARGV[3])
  local key = record and parse(record).key or ''
  if key == '' then return { 'absent', board.epoch, board.version, board.total } end
  local position = redis.call('ZRANK', KEYS[2], key .. ARGV[3])
  local radius = tonumber(ARGV[4])
  offset = math.max(0, position - radius)
  limit = position + radius + 1 - offset
end
local members = {}
if limit > 0 then members = redis.call('ZRANGE', KEYS[2], offset, offset + limit - 1) end
local rank = 0
if #members > 0 then rank = shared_rank(KEYS[2], string.sub(members[1], 1, board.width)) end
return {
  board.epoch, board.version, board.total, offset, rank, cmsgpack.pack(rows_of(KEYS[3], members, board.width)),
}
