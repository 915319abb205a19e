-- Age in ms of the intent with this fence by the cache's own clock; -1 where it is not there. ARGV: fence.
local entry = load()
if not entry or entry.s ~= 'intent' or entry.f ~= tonumber(ARGV[1]) then return -1 end
return math.max(0, math.floor(micros() / 1000) - entry.t)
