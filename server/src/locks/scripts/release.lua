-- KEYS: locks. ARGV: the token of each one's grant. Answers for each 1 where it was removed, 0 where it was not this grant's.
local removed = {}
for index, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[index] then
    removed[index] = redis.call('DEL', key)
  else
    removed[index] = 0
  end
end
return removed
