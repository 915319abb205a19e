-- Keeps what a coordinator uses here for a while, and answers what the coordinators of other clusters use.
-- KEYS: the list of names. ARGV: the coordinator's name, its cluster's, what it uses ('' takes it away), for how many ms.
-- The list has the names of all whose word has not expired; each word stands beside it under a key of its own.
local list = KEYS[1]
local own, cluster, word, ttl = ARGV[1], ARGV[2] .. '/', ARGV[3], tonumber(ARGV[4])
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
    if string.sub(name, 1, #cluster) ~= cluster then others[#others + 1] = said end
  end
end
if #names == 0 then
  redis.call('DEL', list)
else
  redis.call('SET', list, table.concat(names, '\n'), 'PX', 2 * ttl)
end
return others
