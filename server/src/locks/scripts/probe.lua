-- Finds out whether a lock node can grant locks: it can if it can run this script.
-- KEYS: a key that nothing else uses. ARGV: its TTL in ms.
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return redis.call('DEL', KEYS[1])
