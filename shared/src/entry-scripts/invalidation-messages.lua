-- Messages of invalidation streams: what was invalidated of one resource, for clients that keep its values in memory.
-- A stream that has no message is none, and is not written: a coordinator whose resource is of level `local` begins it.
local STREAMS = 'lockstep:invalidations:'
local MAX_MESSAGES = 10000

-- Appends a message to the stream of an owner's resource, if there is that stream. `fields`: {'k', cache key, …}, or
-- {'a', '1'} for all entries. `p` is the id of the message before, so that a reader sees whether it has missed one.
local function append_message(owner, fields)
  local stream = STREAMS .. string.match(owner, '^[^#]*')
  if redis.call('EXISTS', stream) == 0 then return end
  local last = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if last.err then
    if not string.find(last.err, 'WRONGTYPE', 1, true) then error(last) end
    -- It is none: without it, readers keep nothing in memory.
    redis.call('UNLINK', stream)
  elseif #last > 0 then
    redis.call('XADD', stream, 'MAXLEN', '~', MAX_MESSAGES, '*', 'p', last[1][1], unpack(fields))
  end
end
