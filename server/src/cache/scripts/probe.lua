-- Uses every command that the steps use, on a key that nothing else uses: if this passes, all steps can be carried out.
-- ARGV: TTL in ms.
load()
put('tombstone', 0, 0, '', 'null', ARGV[1])
redis.call('UNLINK', key)
return 1
