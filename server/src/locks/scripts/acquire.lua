-- Acquires those of some locks that are free.
-- KEYS: the locks. ARGV: for each lock, the token with which it is granted and its TTL in ms.
-- Answers for each lock 1 if it was free and is granted, else 0.
-- Uses EXISTS and SET instead of SET NX, so that a node's log of commands contains a SET only for a granted lock.
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
