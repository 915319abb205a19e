-- Removes an entry whatever its version, because the database was restored or the cache came back with old data.
-- ARGV: for how many ms an invalidation must leave a trace, tombstone TTL in ms. Answers 'removed' | 'intent' (it
-- stays, to be recovered) | 'kept' (nothing is there, or a tombstone that this script left).
local entry = load()
if not entry then return 'kept' end
if entry.s == 'intent' then return 'intent' end
if entry.s == 'tombstone' and entry.v == 0 and not entry.p then return 'kept' end
if entry.s ~= 'corrupt' and math.floor(micros() / 1000) - entry.t < tonumber(ARGV[1]) then
  -- The entry may be the only trace of a recent invalidation, which reads of replicas need (A7). This tombstone allows
  -- a fill of any version, but only from the primary.
  put_tombstone(0, entry.f, ARGV[2])
else
  redis.call('UNLINK', key)
end
return 'removed'
