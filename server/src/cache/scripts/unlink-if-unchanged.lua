-- Removes a raw entry. ARGV: the exact text that was seen ('' if the value was not a string). Answers 1 if it still had
-- that text, and is removed.
local text = redis.pcall('GET', key)
if type(text) == 'table' then text = '' end
if text ~= ARGV[1] then return 0 end
return redis.call('UNLINK', key)
