-- Apply a batch to one board: apply, version + 1, announce, in one step.
-- KEYS meta zset hash stream cache mark shadow-zset shadow-hash
-- ARGV epoch, window, seconds of the cached top, entries of the stream, top channel, moves channel, changes (packed),
--      where they come from (packed, or nothing: then the announcements end before it)
-- Answers {'applied' | 'unchanged', version, total} or {'refused', reason} or {'invalid', index}.

local meta, zset, hash, stream, cache = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local window, keep, cap = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local changes = cmsgpack.unpack(ARGV[7])
local origin = ARGV[8] ~= '' and cmsgpack.unpack(ARGV[8]) or nil

local board, reason = whole(meta, zset, hash)
if not board then return { 'refused', reason } end
if board.epoch ~= tonumber(ARGV[1]) then return { 'refused', 'epoch' } end
local wrong = check(changes, board.width)
if wrong then return { 'invalid', wrong } end

local planned = plan(hash, changes)
local first, last, shown = planned.first, planned.last, planned.shown

-- Who stood in the window, by its last member: reading all of it would cost more than most batches.
local edge = board.total >= window and redis.call('ZRANGE', zset, window - 1, window - 1)[1]
local function inside(player)
  local key = first[player].key
  return key ~= '' and not (edge and ahead(edge, key .. player, board.width))
end

-- A rebuild is under way: its shadow takes every change by the same rule, so that the swap loses none.
if redis.call('EXISTS', KEYS[6]) == 1 then write(KEYS[7], KEYS[8], plan(KEYS[8], changes)) end
-- Counted, not asked for: where it is not what there is afterwards, the board was not whole and will not pass again.
local members, records = write(zset, hash, planned)
local total = board.total + members
records = board.records + records

local moved, any_moved, any_shown = {}, false, next(shown) ~= nil
for index = 1, #planned.order do
  local player = planned.order[index]
  if first[player].key ~= last[player].key then
    moved[player] = true
    any_moved = true
  end
end
if not any_moved and not any_shown then
  if records ~= board.records then redis.call('HSET', meta, 'records', records) end
  return { 'unchanged', board.version, board.total }
end

local version = board.version + 1
redis.call('HSET', meta, 'version', version, 'count', total, 'records', records)

-- Movers within the window and who is shown otherwise there, before and after; `still` counts those who did not move.
local moves, rows, gone, before = {}, {}, {}, {}
local still_before, still_after = math.min(board.total, window), math.min(total, window)
for index = 1, #planned.order do
  local player = planned.order[index]
  local old, new = first[player], last[player]
  if moved[player] or (new.key ~= '' and shown[player]) then
    local position, rank = -1, 0
    if new.key ~= '' then
      position = redis.call('ZRANK', zset, new.key .. player)
      rank = shared_rank(zset, new.key)
    end
    moves[#moves + 1] = { player, old.key, new.key, position, rank }
    local was, is = inside(player), position >= 0 and position < window
    if moved[player] then
      if was then still_before = still_before - 1 end
      if is then still_after = still_after - 1 end
    end
    if is and (was or moved[player]) then rows[#rows + 1] = { position, { player, new.key, new.display } } end
    if was and (is or moved[player]) then before[#before + 1] = { player, old.key, old.display } end
    if was and not is and moved[player] then gone[#gone + 1] = player end
  end
end

-- Of those who did not move, as many were pushed out, or let in, as there are fewer, or more, of them in the window now.
-- They stand next to its edge, between movers.
local function still_from(position, step, wanted)
  local found = {}
  while wanted > 0 and position >= 0 and position < total do
    local upto = math.max(0, position + step * (wanted - 1))
    local low, high = math.min(position, upto), math.max(position, upto)
    local members = redis.call('ZRANGE', zset, low, high)
    for index = 1, #members do
      if not moved[string.sub(members[index], board.width + 1)] then
        found[#found + 1] = { low + index - 1, members[index] }
        wanted = wanted - 1
      end
    end
    position = upto + step
  end
  return found
end

local function members_of(found)
  local members = {}
  for index = 1, #found do members[index] = found[index][2] end
  return members
end

if still_before > still_after then
  local pushed = rows_of(hash, members_of(still_from(window, 1, still_before - still_after)), board.width)
  for index = 1, #pushed do
    local player, key, display = unpack(pushed[index])
    gone[#gone + 1] = player
    before[#before + 1] = { player, key, first[player] and first[player].display or display }
  end
elseif still_after > still_before then
  local entered = still_from(math.min(total, window) - 1, -1, still_after - still_before)
  local read = rows_of(hash, members_of(entered), board.width)
  for index = 1, #entered do rows[#rows + 1] = { entered[index][1], read[index] } end
end
table.sort(rows, function(one, two) return one[1] < two[1] end)
for index = 1, #rows do rows[index] = rows[index][2] end

if #rows > 0 or #gone > 0 then
  redis.call('SET', cache, cmsgpack.pack(rows_of(hash, redis.call('ZRANGE', zset, 0, window - 1), board.width)), 'EX', keep)
end
local top = cmsgpack.pack({ board.epoch, version, total, rows, gone, 0, origin })
local packed_moves = cmsgpack.pack({ board.epoch, version, total, moves, 0, origin })
redis.call('XADD', stream, 'MAXLEN', cap, board.epoch .. '-' .. version,
  't', top, 'm', packed_moves, 'b', cmsgpack.pack({ board.total, before }))
redis.call('PUBLISH', ARGV[5], top)
redis.call('PUBLISH', ARGV[6], packed_moves)
return { 'applied', version, total }
