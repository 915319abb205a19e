-- Replaces KEYS[1] by ARGV[2] only where it is still ARGV[1]; its expiry stays. Answers 1 where it did.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
