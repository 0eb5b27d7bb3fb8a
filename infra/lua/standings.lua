-- Where players stand.
-- KEYS meta zset hash   ARGV players
-- Answers {epoch, version, total, {record, position, rank or false for each}} or {reason}.
local board, reason = whole(KEYS[1], KEYS[2], KEYS[3])
if not board then return { reason } end
local records = #ARGV > 0 and redis.call('HMGET', KEYS[3], unpack(ARGV)) or {}
local found = {}
for index = 1, #ARGV do
  local key = records[index] and parse(records[index]).key or ''
  if key == '' then
    found[index] = false
  else
    found[index] = { records[index], redis.call('ZRANK', KEYS[2], key .. ARGV[index]), shared_rank(KEYS[2], key) }
  end
end
return { board.epoch, board.version, board.total, found }
