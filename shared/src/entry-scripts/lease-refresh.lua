-- A lease in a computed value that ends soon, or has ended and is kept for loaders that fail. The value stays, and lives
-- at least as long as the lease. ARGV: lease id, lease TTL in ms, how many ms before its end a value is due.
-- Answers 'leased' | 'busy' (another lease stands in it) | 'changed' (there is no value, or it is not due).
local entry, text = load()
if not entry or entry.s ~= 'value' then return 'changed' end
local left_ms, grace_ms, lease_ms = redis.call('PTTL', key), count(entry.g), tonumber(ARGV[2])
if left_ms < 0 or left_ms - grace_ms > tonumber(ARGV[3]) then return 'changed' end
local now_ms = math.floor(micros() / 1000)
if entry.l and count(entry.r) > now_ms then return 'busy' end
local life_ms = math.max(left_ms, lease_ms)
local lease = string.format(',"l":"%s","r":%.0f', ARGV[1], now_ms + lease_ms)
put('value', entry.v, entry.f, graced(grace_ms + life_ms - left_ms) .. lease, body_of(text), life_ms, entry.t)
return 'leased'
