-- Makes new fences, and replaces whatever entry is there by a write intent with the highest of them.
-- ARGV: intent id, a fence that the new ones must exceed, how many new ones.
-- Answers the intent's fence.
-- The intent has no expiry. It keeps the version of the entry that it replaces, because if the intent is withdrawn, a
-- later fill must still have at least that version.
local entry = load()
local version, seen = 0, tonumber(ARGV[2])
if entry then
  version = entry.v
  -- A fence above this limit cannot come from a clock, so another program has written it. It is ignored: numbers that
  -- count on from it would soon be too large to be exact.
  if entry.f > seen and entry.f < 9006099743113216 then seen = entry.f end
end
local now = micros()
local fence = seen + tonumber(ARGV[3])
if now > fence then fence = now end
put_intent(version, fence, ARGV[1], '', math.floor(now / 1000))
return fence
