-- Finds out whether the steps can be carried out: it uses every command that they use, on a key that nothing else uses.
-- ARGV: TTL in ms.
load()
put('tombstone', 0, 0, '', 'null', ARGV[1])
redis.call('UNLINK', key)
return 1
