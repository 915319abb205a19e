-- If a node can run this, it can grant locks. KEYS: a key that nothing else uses. ARGV: its TTL in ms.
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return redis.call('DEL', KEYS[1])
