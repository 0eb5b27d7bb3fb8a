-- The record layout of realtime/core/record.py, and what every script shares. Scripts are sent with this file before them.

local HEADER = 19

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

-- Takes what is newer into one sorted set and its hash. `seen` is told of each record that was replaced.
local function take(zset, hash, changes, seen)
  for index = 1, #changes do
    local player = changes[index][1]
    local stored = redis.call('HGET', hash, player)
    local old = stored and parse(stored) or NEVER
    local new = merge(old, parse(changes[index][2]))
    if new then
      if old.key ~= new.key then
        if old.key ~= '' then redis.call('ZREM', zset, old.key .. player) end
        if new.key ~= '' then redis.call('ZADD', zset, 0, new.key .. player) end
      end
      redis.call('HSET', hash, player, build(new))
      if seen then seen(player, old, new) end
    end
  end
end

-- Epoch, version, total and key width of a board that is whole; nil and the reason if it is not. A board that lost its sorted
-- set or its hash is not: both are counted.
local function whole(meta, zset, hash)
  local held = redis.call('HMGET', meta, 'epoch', 'version', 'count', 'width', 'records')
  if not held[1] then return nil, 'missing' end
  if tonumber(held[3]) ~= redis.call('ZCARD', zset) or tonumber(held[5]) ~= redis.call('HLEN', hash) then
    return nil, 'count'
  end
  return { epoch = tonumber(held[1]), version = tonumber(held[2]), total = tonumber(held[3]), width = tonumber(held[4]) }
end

local function shared_rank(zset, key)
  return redis.call('ZLEXCOUNT', zset, '-', '(' .. string.sub(key, 1, -9)) + 1
end

-- Members as rows: player, key, display.
local function rows_of(hash, members, width)
  local rows = {}
  if #members == 0 then return rows end
  local players = {}
  for index = 1, #members do players[index] = string.sub(members[index], width + 1) end
  local records = redis.call('HMGET', hash, unpack(players))
  for index = 1, #members do
    local _, _, _, _, key_length, display_length = struct.unpack('>I4I4I4I4BI2', records[index])
    local from = HEADER + key_length
    rows[index] = {
      players[index], string.sub(members[index], 1, width), string.sub(records[index], from + 1, from + display_length),
    }
  end
  return rows
end
