-- Invalidates the entry, unless it is a value of this version or a newer one.
-- ARGV: version or '' if unknown, tombstone TTL in ms, log position or '' if unknown, 'bare' for a key that no resource
-- owns.
-- Answers as publish does: 'fresh' or 'invalidated'.
note_invalidation()
local entry, _, is_foreign = load()
if is_foreign then return 'invalidated' end
-- The readers of a bare key may not understand a tombstone, so the key is removed. If it holds an entry all the same,
-- another coordinator already has a resource for it, and the entry is invalidated like any other.
if ARGV[4] == 'bare' and (not entry or entry.s == 'corrupt') then
  redis.call('UNLINK', key)
  return 'invalidated'
end
local version = tonumber(ARGV[1])
if entry and entry.s == 'intent' then
  -- Only its owner or a recovery removes an intent. The mark makes the owner publish a tombstone instead of its value.
  put_intent(math.max(entry.v, version or 0), entry.f, entry.i, ',"m":1', entry.t)
  return 'invalidated'
end
if entry and version and entry.s == 'value' and entry.v >= version then return 'fresh' end
local fence = 0
if entry then
  version = math.max(entry.v, version or 0)
  fence = entry.f
end
put_tombstone(version or 0, fence, ARGV[2], least_position(entry, ARGV[3]))
return 'invalidated'
