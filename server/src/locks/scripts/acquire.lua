-- KEYS: locks. ARGV: for each lock, the token of its grant and its TTL in ms. Answers for each lock 1 if it was free,
-- else 0. Uses two commands instead of SET NX, so that a node's log of commands shows only locks that were granted.
local granted = {}
for index, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then
    granted[index] = 0
  else
    redis.call('SET', key, ARGV[2 * index - 1], 'PX', ARGV[2 * index])
    granted[index] = 1
  end
end
return granted
