-- Removes a raw entry if nobody has changed it since it was seen.
-- ARGV: the exact text that was seen ('' if the value was not a string).
-- Answers 1 if the entry still had that text and was removed, else 0.
local text = redis.pcall('GET', key)
if type(text) == 'table' then text = '' end
if text ~= ARGV[1] then return 0 end
return redis.call('UNLINK', key)
