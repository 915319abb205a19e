-- Releases locks.
-- KEYS: the locks. ARGV: for each lock, the token with which it was granted.
-- Answers for each lock 1 if it was removed, or 0 if it was not held with this token.
local removed = {}
for index, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[index] then
    removed[index] = redis.call('DEL', key)
  else
    removed[index] = 0
  end
end
return removed
