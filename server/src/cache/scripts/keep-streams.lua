-- Begins the invalidation streams that are not there. KEYS: each stream, and the key that says at which epoch a switch
-- ended it. ARGV: how long a stream lasts without another call, in ms; the epoch at which the caller knows each resource.
-- A caller that has not heard of the switch begins no stream again. A reader who knew an earlier stream sees by the first
-- message that it has missed something.
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
