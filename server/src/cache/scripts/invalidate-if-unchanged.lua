-- ARGV: the exact text that was seen, tombstone TTL in ms. Answers 1 where the entry was still that text.
local entry, text = load()
if not entry or text ~= ARGV[1] or entry.s == 'intent' then return 0 end
put_tombstone(entry.v, entry.f, ARGV[2])
return 1
