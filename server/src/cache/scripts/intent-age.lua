-- Age in ms of this very intent by the cache's own clock; -1 where it is not there. ARGV: intent id, fence.
local entry = load()
if not is_intent(entry, ARGV[1], ARGV[2]) then return -1 end
local age = math.floor(micros() / 1000) - entry.t
-- From a time that has not come: older than any holder.
if age < -3600000 then return 3600000 end
return math.max(0, age)
