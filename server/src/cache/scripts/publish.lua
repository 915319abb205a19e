-- Publishes a write after its commit.
-- ARGV: intent id, fence, version, 'value' | 'tombstone', value TTL in ms, body, tombstone TTL in ms, the row's tag or ''.
-- Answers 'fresh' if the value of this version or a newer one is there, else 'invalidated'. Either way nothing older is
-- served.
local fence, version, tombstone_ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[7]
local entry, _, is_foreign = load()
-- Another cluster's entry is there, so this cluster's readers find nothing.
if is_foreign then return 'invalidated' end
if entry and entry.s == 'intent' then
  -- Another holder's intent: that holder or a recovery will publish.
  if not is_intent(entry, ARGV[1], fence) then return 'invalidated' end
  if ARGV[4] == 'value' and not entry.m then
    put('value', version, fence, tagged(ARGV[8]), ARGV[6], ARGV[5])
    return 'fresh'
  end
  put_tombstone(version, fence, tombstone_ttl)
  return 'invalidated'
end
if entry and (entry.s == 'value' or entry.s == 'tombstone') and entry.v >= version then
  return entry.s == 'value' and 'fresh' or 'invalidated'
end
-- The intent is gone: someone invalidated the key, or the cache lost it. This holder's value might be older than the
-- change that caused an invalidation, so a tombstone is left.
if entry and entry.f > fence then fence = entry.f end
put_tombstone(version, fence, tombstone_ttl)
return 'invalidated'
