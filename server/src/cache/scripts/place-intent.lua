-- Mints fences and puts the write intent with the highest, whatever is there. ARGV: intent id, a fence that the new ones
-- must exceed, how many.
-- The intent has no expiry. It keeps the entry's version: a fill after its withdrawal must still have reached it.
local entry = load()
local version, seen = 0, tonumber(ARGV[2])
if entry then
  version = entry.v
  -- No clock comes that far: somebody has put it there. Counting on from it would end at what a number can hold.
  if entry.f > seen and entry.f < 9006099743113216 then seen = entry.f end
end
local now = micros()
local fence = seen + tonumber(ARGV[3])
if now > fence then fence = now end
put_intent(version, fence, ARGV[1], '', math.floor(now / 1000))
return fence
