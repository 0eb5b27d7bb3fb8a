-- Put the shadow in the place of the board under its new epoch, and say so, in one step.
-- KEYS meta zset hash stream cache mark shadow-zset shadow-hash
-- ARGV epoch, key width, top channel, moves channel, entries of the stream
-- Answers 1, or 0 if the mark is gone or another's, or the board already has a later epoch.
if redis.call('GET', KEYS[6]) ~= ARGV[1] then return 0 end
local held = redis.call('HGET', KEYS[1], 'epoch')
local epoch = tonumber(ARGV[1])
if held and tonumber(held) >= epoch then return 0 end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
if redis.call('EXISTS', KEYS[7]) == 1 then redis.call('RENAME', KEYS[7], KEYS[2]) end
if redis.call('EXISTS', KEYS[8]) == 1 then redis.call('RENAME', KEYS[8], KEYS[3]) end
local total = redis.call('ZCARD', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'version', 1, 'count', total, 'width', ARGV[2],
  'records', redis.call('HLEN', KEYS[3]))
local top = cmsgpack.pack({ epoch, 1, total, {}, {}, 1 })
local moves = cmsgpack.pack({ epoch, 1, total, {}, 1 })
redis.call('XADD', KEYS[4], 'MAXLEN', ARGV[5], ARGV[1] .. '-1', 't', top, 'm', moves)
redis.call('PUBLISH', ARGV[3], top)
redis.call('PUBLISH', ARGV[4], moves)
return 1
