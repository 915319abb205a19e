-- Keeps what a coordinator uses here for a while, and answers the names of all others, each with what that one uses.
-- KEYS: the list of names. ARGV: the coordinator's name, what it uses ('' takes it away), for how many ms.
-- The list has the names of all whose word has not expired; each word stands beside it under a key of its own.
local list = KEYS[1]
local own, word, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local names, others = {}, {}
if word == '' then
  redis.call('DEL', list .. ':' .. own)
else
  redis.call('SET', list .. ':' .. own, word, 'PX', ttl)
  names[1] = own
end
for name in string.gmatch(redis.call('GET', list) or '', '[^\n]+') do
  local said = name ~= own and redis.call('GET', list .. ':' .. name)
  if said then
    names[#names + 1] = name
    others[#others + 1] = name
    others[#others + 1] = said
  end
end
if #names == 0 then
  redis.call('DEL', list)
else
  redis.call('SET', list, table.concat(names, '\n'), 'PX', 2 * ttl)
end
return others
