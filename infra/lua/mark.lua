-- Begin a rebuild: from now on every change goes to the shadow, too.
-- KEYS mark shadow-zset shadow-hash   ARGV epoch, milliseconds that the mark lives without being renewed
-- Answers 1, or 0 if a rebuild under a later epoch is under way.
local held = redis.call('GET', KEYS[1])
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[2], KEYS[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
