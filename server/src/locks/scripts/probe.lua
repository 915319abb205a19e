-- A node where this passes grants locks. KEYS: a key of nobody's. ARGV: its TTL in ms.
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return redis.call('DEL', KEYS[1])
