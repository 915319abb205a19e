-- Replaces the intent of a refused write by a tombstone, after the database has stored the intent's fence.
-- ARGV: intent id, fence, version, tombstone TTL in ms.
-- Answers 1 if the entry still was this intent, else 0.
local entry = load()
if is_intent(entry, ARGV[1], ARGV[2]) then
  put_tombstone(math.max(entry.v, tonumber(ARGV[3])), entry.f, ARGV[4])
  return 1
end
return 0
