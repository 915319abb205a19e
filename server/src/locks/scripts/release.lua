-- KEYS: locks. ARGV: the token of each lock's grant. Returns for each lock 1 where it was removed, 0 where this grant did not hold it.
local removed = {}
for index, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[index] then
    removed[index] = redis.call('DEL', key)
  else
    removed[index] = 0
  end
end
return removed
