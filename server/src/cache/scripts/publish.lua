-- Publishes a write after its commit.
-- ARGV: intent id, fence, version, 'value' | 'tombstone', value TTL in ms, body, tombstone TTL in ms, the row's tag or ''.
-- Answers 'fresh' if the entry is now a value of this version or a newer one, else 'invalidated'. Either way, no older
-- value is served.
local fence, version, tombstone_ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[7]
local entry, _, is_foreign = load()
-- The entry belongs to another cluster, and this cluster's readers ignore it.
if is_foreign then return 'invalidated' end
if entry and entry.s == 'intent' then
  -- The intent is another holder's. That holder or a recovery will publish.
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
-- The intent is gone: someone invalidated the key, or the cache lost it. If it was invalidated after a change, this
-- holder's value may be older than that change, so a tombstone is left instead of the value.
if entry and entry.f > fence then fence = entry.f end
put_tombstone(version, fence, tombstone_ttl)
return 'invalidated'
