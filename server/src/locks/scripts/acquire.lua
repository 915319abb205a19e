-- KEYS: locks. ARGV: for each the token of its grant and its TTL in ms. Answers for each 1 where it was free, else 0.
-- Two commands instead of SET NX, so that who follows a node's record of commands sees only what was granted.
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
