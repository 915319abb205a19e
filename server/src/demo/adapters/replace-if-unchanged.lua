-- Replaces the value of KEYS[1] by ARGV[2] if it is still ARGV[1]; the expiry stays. Answers 1 if it did.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
