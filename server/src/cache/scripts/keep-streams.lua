-- Begins the invalidation streams that are not there. KEYS: the streams. ARGV: how long they last without another call,
-- in ms. A reader who knew an earlier one sees by the first message that it has missed something.
for _, stream in ipairs(KEYS) do
  local newest = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if newest.err or #newest == 0 then
    redis.call('UNLINK', stream)
    redis.call('XADD', stream, '*', 'p', '0-0', 'a', '1')
  end
  redis.call('PEXPIRE', stream, ARGV[1])
end
return #KEYS
