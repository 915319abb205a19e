-- Answers how old this intent is, in ms by the cache's own clock, or -1 if the entry is not this intent any more.
-- ARGV: intent id, fence.
local entry = load()
if not is_intent(entry, ARGV[1], ARGV[2]) then return -1 end
local age = math.floor(micros() / 1000) - entry.t
-- The intent is from the future, so the clock was set back. The intent then counts as older than any holder.
if age < -3600000 then return 3600000 end
return math.max(0, age)
