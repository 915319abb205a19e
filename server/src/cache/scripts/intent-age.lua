-- Answers the age of exactly this intent in ms, by the cache's own clock; -1 if it is gone. ARGV: intent id, fence.
local entry = load()
if not is_intent(entry, ARGV[1], ARGV[2]) then return -1 end
local age = math.floor(micros() / 1000) - entry.t
-- The intent is from the future, so the clock was set back: it counts as older than any holder.
if age < -3600000 then return 3600000 end
return math.max(0, age)
