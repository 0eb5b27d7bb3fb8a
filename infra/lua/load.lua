-- Load rows of the store's snapshot into the shadow, newer only.
-- KEYS mark shadow-zset shadow-hash   ARGV epoch, milliseconds, key width, changes (packed)
-- Answers 1, or 0 if the mark is gone or another's: the rebuild has to start over.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local changes = cmsgpack.unpack(ARGV[4])
if check(changes, tonumber(ARGV[3])) then return redis.error_reply('INVALID record') end
write(KEYS[2], KEYS[3], plan(KEYS[3], changes))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
