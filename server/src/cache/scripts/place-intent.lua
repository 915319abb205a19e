-- Mints fences and replaces whatever is there by the write intent, which has the highest of them. ARGV: intent id, a
-- fence that the new ones must exceed, how many. The intent has no expiry. It keeps the entry's version, which a fill
-- after its withdrawal must still have reached.
local entry = load()
local version, seen = 0, tonumber(ARGV[2])
if entry then
  version = entry.v
  -- A higher fence cannot come from a clock: some program wrote it. Counting on from it would soon exceed exact
  -- numbers.
  if entry.f > seen and entry.f < 9006099743113216 then seen = entry.f end
end
local now = micros()
local fence = seen + tonumber(ARGV[3])
if now > fence then fence = now end
put_intent(version, fence, ARGV[1], '', math.floor(now / 1000))
return fence
