-- Removes an entry whatever its version is: the database that counted it was restored, or the cache came back old.
-- ARGV: how long a mark must last in ms, tombstone TTL in ms. Answers 'removed' | 'intent' (which stays for recovery) |
-- 'kept' (a mark that this script left).
local entry = load()
if not entry then return 'kept' end
if entry.s == 'intent' then return 'intent' end
if entry.s == 'tombstone' and entry.v == 0 and not entry.p then return 'kept' end
if entry.s ~= 'corrupt' and math.floor(micros() / 1000) - entry.t < tonumber(ARGV[1]) then
  -- What was invalidated a moment ago must leave a trace where replicas are read (A7): one that any version may follow,
  -- and only the primary fills.
  put_tombstone(0, entry.f, ARGV[2])
else
  redis.call('UNLINK', key)
end
return 'removed'
