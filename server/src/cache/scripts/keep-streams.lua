-- Begins the invalidation streams that do not exist, and keeps all of them from expiring.
-- KEYS: for each resource its stream, and the key with the epoch at which a switch has ended that stream.
-- ARGV: for how many ms a stream lasts without another call; for each resource, the epoch that the caller knows.
-- A caller that knows only an epoch before that switch has not heard of it, so the stream is then left alone.
-- By the first message of a new stream, readers of an earlier stream see that they have missed something.
for at = 1, #KEYS, 2 do
  local stream = KEYS[at]
  local endedAt = tonumber(redis.call('GET', KEYS[at + 1]) or '0')
  if endedAt <= tonumber(ARGV[(at + 3) / 2]) then
    local newest = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)
    if newest.err or #newest == 0 then
      redis.call('UNLINK', stream)
      redis.call('XADD', stream, '*', 'p', '0-0', 'a', '1')
    end
    redis.call('PEXPIRE', stream, ARGV[1])
  end
end
return #KEYS / 2
