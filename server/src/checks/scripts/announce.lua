-- Stores a coordinator's announcement for a while, and answers the names and announcements of all others.
-- KEYS: the list of names. ARGV: the coordinator's name, its announcement ('' removes it), its TTL in ms.
-- The list contains the names of all announcements that have not expired. Each announcement has its own key, LIST:NAME.
local list = KEYS[1]
local own, announcement, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local names, others = {}, {}
if announcement == '' then
  redis.call('DEL', list .. ':' .. own)
else
  redis.call('SET', list .. ':' .. own, announcement, 'PX', ttl)
  names[1] = own
end
for name in string.gmatch(redis.call('GET', list) or '', '[^\n]+') do
  local announced = name ~= own and redis.call('GET', list .. ':' .. name)
  if announced then
    names[#names + 1] = name
    others[#others + 1] = name
    others[#others + 1] = announced
  end
end
if #names == 0 then
  redis.call('DEL', list)
else
  redis.call('SET', list, table.concat(names, '\n'), 'PX', 2 * ttl)
end
return others
