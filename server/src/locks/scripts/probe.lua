-- A node that runs this grants locks. KEYS: a key that nobody uses. ARGV: its TTL in ms.
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return redis.call('DEL', KEYS[1])
