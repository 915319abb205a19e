-- Removes the expiry of KEYS[1] if its value is still ARGV[1]. Answers 1 if it did.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PERSIST', KEYS[1])
