-- Takes the expiry from KEYS[1] only where it is still ARGV[1]. Answers 1 where it did.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PERSIST', KEYS[1])
