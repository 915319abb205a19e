-- Invalidates an entry if nobody has changed it since it was seen. An intent stays.
-- ARGV: the exact text that was seen, tombstone TTL in ms, log position or '' if unknown.
-- Answers 1 if the entry still had that text and was invalidated, else 0.
note_invalidation()
local entry, text = load()
if not entry or text ~= ARGV[1] or entry.s == 'intent' then return 0 end
put_tombstone(entry.v, entry.f, ARGV[2], least_position(entry, ARGV[3]))
return 1
