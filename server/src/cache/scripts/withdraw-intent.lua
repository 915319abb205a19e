-- After a refused write whose fence the database has stored. ARGV: fence, version, tombstone TTL in ms.
local entry = load()
if entry and entry.s == 'intent' and entry.f == tonumber(ARGV[1]) then
  put_tombstone(math.max(entry.v, tonumber(ARGV[2])), entry.f, ARGV[3])
  return 1
end
return 0
