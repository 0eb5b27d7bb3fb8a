-- The stretches around players, at one version.
-- KEYS meta zset hash   ARGV player, radius for each
-- Answers {reason}, or {epoch, version, total, {position of the first row, rows; or false} for each,
-- {position, shared rank} of each first row, {position, rows (packed)} of each run of the board that they lie in}.
-- What several stretches share is read and sent once.
local board, reason = whole(KEYS[1], KEYS[2], KEYS[3])
if not board then return { reason } end

local players = {}
for index = 1, #ARGV, 2 do players[#players + 1] = ARGV[index] end
local records = read_records(KEYS[3], players)
local found, spans, starts = {}, {}, {}
for index = 1, #records do
  local player, radius = players[index], tonumber(ARGV[2 * index])
  local key = records[index] and parse(records[index]).key or ''
  if key == '' then
    found[index] = false
  else
    local position = redis.call('ZRANK', KEYS[2], key .. player)
    local first, last = math.max(0, position - radius), math.min(board.total - 1, position + radius)
    found[index] = { first, last - first + 1 }
    spans[#spans + 1] = { first, last }
    starts[first] = true
  end
end

table.sort(spans, function(one, two) return one[1] < two[1] end)
local joined = {}
for index = 1, #spans do
  local first, last = spans[index][1], spans[index][2]
  local before = joined[#joined]
  if before and first <= before[2] + 1 then
    before[2] = math.max(before[2], last)
  else
    joined[#joined + 1] = { first, last }
  end
end

local ranks, runs = {}, {}
for index = 1, #joined do
  local from, last = joined[index][1], joined[index][2]
  local rows = rows_of(KEYS[3], redis.call('ZRANGE', KEYS[2], from, last), board.width)
  for offset = 1, #rows do
    local position = from + offset - 1
    if starts[position] then ranks[#ranks + 1] = { position, shared_rank(KEYS[2], rows[offset][2]) } end
  end
  runs[index] = { from, cmsgpack.pack(rows) }
end
return { board.epoch, board.version, board.total, found, ranks, runs }
