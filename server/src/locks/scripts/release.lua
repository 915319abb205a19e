-- KEYS: locks. ARGV: the token of each lock's grant. Answers for each lock 1 if it was removed, 0 if this grant did not
-- hold it.
local removed = {}
for index, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[index] then
    removed[index] = redis.call('DEL', key)
  else
    removed[index] = 0
  end
end
return removed
