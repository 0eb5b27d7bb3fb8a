-- The record layout of realtime/core/record.py, and what every script shares. Scripts are sent with this file before them.

local HEADER = 19
local LENGTHS = 17

-- Seqs are compared as two 32-bit numbers: `<` on strings follows the server's locale, and a double keeps 53 bits.
local function newer(high, low, than_high, than_low)
  return high > than_high or (high == than_high and low > than_low)
end

local function parse(record)
  local high, low, profile_high, profile_low, key_length, display_length =
    struct.unpack('>I4I4I4I4BI2', record)
  local key_end = HEADER + key_length
  local display_end = key_end + display_length
  return {
    high = high, low = low, profile_high = profile_high, profile_low = profile_low,
    key = string.sub(record, HEADER + 1, key_end),
    display = string.sub(record, key_end + 1, display_end),
    metadata = string.sub(record, display_end + 1),
  }
end

local function build(r)
  return struct.pack('>I4I4I4I4BI2', r.high, r.low, r.profile_high, r.profile_low, #r.key, #r.display)
    .. r.key .. r.display .. r.metadata
end

-- The state of `new` where it is newer, entry and profile each for itself; nil if it is newer in neither.
local function merge(old, new)
  local entry = newer(new.high, new.low, old.high, old.low)
  local profile = newer(new.profile_high, new.profile_low, old.profile_high, old.profile_low)
  if not entry and not profile then return nil end
  local e = entry and new or old
  local p = profile and new or old
  return {
    high = e.high, low = e.low, key = e.key, metadata = e.metadata,
    profile_high = p.profile_high, profile_low = p.profile_low, display = p.display,
  }
end

local NEVER = { high = 0, low = 0, profile_high = 0, profile_low = 0, key = '', display = '{}', metadata = '' }

-- Nothing is written before every record was looked at: a script that fails midway keeps what it wrote.
local function check(changes, width)
  for index = 1, #changes do
    local player, record = changes[index][1], changes[index][2]
    if type(player) ~= 'string' or #player == 0 or type(record) ~= 'string' or #record < HEADER then return index end
    local _, _, _, _, key_length, display_length = struct.unpack('>I4I4I4I4BI2', record)
    if key_length ~= 0 and key_length ~= width then return index end
    if #record < HEADER + key_length + display_length then return index end
  end
  return nil
end

-- What one call puts on Lua's stack has a limit. Even: pairs stay together.
local AT_ONCE = 1000

local function call_with_all(command, key, values)
  for from = 1, #values, AT_ONCE do
    redis.call(command, key, unpack(values, from, math.min(#values, from + AT_ONCE - 1)))
  end
end

local function read_records(hash, players)
  local records = {}
  for from = 1, #players, AT_ONCE do
    local read = redis.call('HMGET', hash, unpack(players, from, math.min(#players, from + AT_ONCE - 1)))
    for index = 1, #read do records[#records + 1] = read[index] end
  end
  return records
end

-- What would be taken of `changes`, and nothing is written yet: players in the order in which they come first, for each
-- what is stored and what will be, and who of those ranked is shown otherwise on the way.
local function plan(hash, changes)
  local players, held = {}, {}
  for index = 1, #changes do players[index] = changes[index][1] end
  local stored = read_records(hash, players)
  local order, first, last, shown = {}, {}, {}, {}
  local added = 0
  for index = 1, #changes do
    local player = players[index]
    local old = last[player] or held[player]
    if not old then
      old = stored[index] and parse(stored[index]) or NEVER
      held[player] = old
    end
    local new = merge(old, parse(changes[index][2]))
    if new then
      if not first[player] then
        first[player] = old
        order[#order + 1] = player
        if not stored[index] then added = added + 1 end
      end
      last[player] = new
      if new.key ~= '' and old.display ~= new.display then shown[player] = true end
    end
  end
  return { order = order, first = first, last = last, shown = shown, added = added }
end

-- Returns by how many members and records there are more now.
local function write(zset, hash, planned)
  local gone, put, records = {}, {}, {}
  for index = 1, #planned.order do
    local player = planned.order[index]
    local old, new = planned.first[player], planned.last[player]
    if old.key ~= new.key then
      if old.key ~= '' then gone[#gone + 1] = old.key .. player end
      if new.key ~= '' then
        put[#put + 1] = '0'
        put[#put + 1] = new.key .. player
      end
    end
    records[#records + 1] = player
    records[#records + 1] = build(new)
  end
  call_with_all('ZREM', zset, gone)
  call_with_all('ZADD', zset, put)
  call_with_all('HSET', hash, records)
  return #put / 2 - #gone, planned.added
end

-- Epoch, version, total and key width of a board that is whole; nil and the reason if it is not. A board that lost its sorted
-- set or its hash is not: both are counted.
local function whole(meta, zset, hash)
  local held = redis.call('HMGET', meta, 'epoch', 'version', 'count', 'width', 'records')
  if not held[1] then return nil, 'missing' end
  if tonumber(held[3]) ~= redis.call('ZCARD', zset) or tonumber(held[5]) ~= redis.call('HLEN', hash) then
    return nil, 'count'
  end
  return {
    epoch = tonumber(held[1]), version = tonumber(held[2]), total = tonumber(held[3]), width = tonumber(held[4]),
    records = tonumber(held[5]),
  }
end

local function shared_rank(zset, key)
  return redis.call('ZLEXCOUNT', zset, '-', '(' .. string.sub(key, 1, -9)) + 1
end

-- Whether one member stands before another. Not by `<`, see `newer`.
local function ahead(one, other, width)
  for from = 1, width, 8 do
    local high, low = struct.unpack('>I4I4', one, from)
    local other_high, other_low = struct.unpack('>I4I4', other, from)
    if high ~= other_high or low ~= other_low then return newer(other_high, other_low, high, low) end
  end
  for index = width + 1, math.min(#one, #other) do
    local byte, other_byte = string.byte(one, index), string.byte(other, index)
    if byte ~= other_byte then return byte < other_byte end
  end
  return #one < #other
end

-- Members as rows: player, key, display.
local function rows_of(hash, members, width)
  local rows, players = {}, {}
  for index = 1, #members do players[index] = string.sub(members[index], width + 1) end
  local records = read_records(hash, players)
  for index = 1, #members do
    local key_length, display_length = struct.unpack('>BI2', records[index], LENGTHS)
    local from = HEADER + key_length
    rows[index] = {
      players[index], string.sub(members[index], 1, width), string.sub(records[index], from + 1, from + display_length),
    }
  end
  return rows
end
