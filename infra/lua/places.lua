-- Where keys stand, or would stand.
-- KEYS meta zset hash   ARGV whole sort keys
-- Answers {epoch, version, total, position and shared rank for each, one after the other}, {reason}, or {'width'} where one is
-- no key of this board.
local board, reason = whole(KEYS[1], KEYS[2], KEYS[3])
if not board then return { reason } end
for index = 1, #ARGV do
  if #ARGV[index] ~= board.width then return { 'width' } end
end
local places = {}
for index = 1, #ARGV do
  places[2 * index - 1] = redis.call('ZLEXCOUNT', KEYS[2], '-', '(' .. ARGV[index])
  places[2 * index] = shared_rank(KEYS[2], ARGV[index])
end
return { board.epoch, board.version, board.total, places }
