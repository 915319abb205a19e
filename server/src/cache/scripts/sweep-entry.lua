-- Removes an entry whatever its version, because the database was restored or the cache came back with old data.
-- ARGV: for how many ms an invalidation must leave a trace, tombstone TTL in ms.
-- Answers 'removed', 'intent' (the entry is an intent; it stays and will be recovered), or 'kept' (there is no entry,
-- or only a tombstone that this script has left).
local entry = load()
if not entry then return 'kept' end
if entry.s == 'intent' then return 'intent' end
if entry.s == 'tombstone' and entry.v == 0 and not entry.p then return 'kept' end
if entry.s ~= 'corrupt' and math.floor(micros() / 1000) - entry.t < tonumber(ARGV[1]) then
  -- The entry may be the only trace of a recent invalidation, which reads from replicas need (A7). So it is replaced by
  -- a tombstone that allows a fill of any version, but only from the primary.
  put_tombstone(0, entry.f, ARGV[2])
else
  redis.call('UNLINK', key)
end
return 'removed'
