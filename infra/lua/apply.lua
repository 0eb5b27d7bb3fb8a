-- Apply a batch to one board: apply, version + 1, announce, in one step.
-- KEYS meta zset hash stream cache mark shadow-zset shadow-hash
-- ARGV epoch, window, seconds of the cached top, entries of the stream, top channel, moves channel, changes (packed)
-- Answers {'applied' | 'unchanged', version, total} or {'refused', reason} or {'invalid', index}.

local meta, zset, hash, stream, cache = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local window, keep, cap = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local changes = cmsgpack.unpack(ARGV[7])

local board, reason = whole(meta, zset, hash)
if not board then return { 'refused', reason } end
if board.epoch ~= tonumber(ARGV[1]) then return { 'refused', 'epoch' } end
local wrong = check(changes, board.width)
if wrong then return { 'invalid', wrong } end

-- A rebuild is under way: its shadow takes every change by the same rule, so that the swap loses none.
if redis.call('EXISTS', KEYS[6]) == 1 then take(KEYS[7], KEYS[8], changes) end

local before = redis.call('ZRANGE', zset, 0, window - 1)
local order, first, last, shown = {}, {}, {}, {}
local any_shown = false
take(zset, hash, changes, function(player, old, new)
  if not first[player] then
    first[player] = old.key
    order[#order + 1] = player
  end
  last[player] = new.key
  if new.key ~= '' and old.display ~= new.display then
    shown[player] = true
    any_shown = true
  end
end)

redis.call('HSET', meta, 'records', redis.call('HLEN', hash))

local moved = {}
for index = 1, #order do
  if first[order[index]] ~= last[order[index]] then moved[#moved + 1] = order[index] end
end
if #moved == 0 and not any_shown then return { 'unchanged', board.version, board.total } end

local version = board.version + 1
local total = redis.call('ZCARD', zset)
redis.call('HSET', meta, 'version', version, 'count', total)

local moves = {}
for index = 1, #moved do
  local player = moved[index]
  local key = last[player]
  local position, rank = -1, 0
  if key ~= '' then
    position = redis.call('ZRANK', zset, key .. player)
    rank = shared_rank(zset, key)
  end
  moves[index] = { player, first[player], key, position, rank }
end

local after = redis.call('ZRANGE', zset, 0, window - 1)
local had, changed, named, gone = {}, {}, {}, {}
for index = 1, #before do had[before[index]] = true end
for index = 1, #after do
  local member = after[index]
  local player = string.sub(member, board.width + 1)
  if not had[member] or shown[player] then
    changed[#changed + 1] = member
    named[player] = true
  end
  had[member] = nil
end
for index = 1, #before do
  if had[before[index]] then
    local player = string.sub(before[index], board.width + 1)
    if not named[player] then gone[#gone + 1] = player end
  end
end

local rows = rows_of(hash, changed, board.width)
if #rows > 0 or #gone > 0 then
  redis.call('SET', cache, cmsgpack.pack(rows_of(hash, after, board.width)), 'EX', keep)
end
local top = cmsgpack.pack({ board.epoch, version, total, rows, gone, 0 })
local packed_moves = cmsgpack.pack({ board.epoch, version, total, moves, 0 })
redis.call('XADD', stream, 'MAXLEN', '~', cap, board.epoch .. '-' .. version, 't', top, 'm', packed_moves)
redis.call('PUBLISH', ARGV[5], top)
redis.call('PUBLISH', ARGV[6], packed_moves)
return { 'applied', version, total }
