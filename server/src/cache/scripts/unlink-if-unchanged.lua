-- Of a raw entry. ARGV: the exact text that was seen ('' for what is not even a string). Answers 1 where it still
-- stood there, and is gone now.
local text = redis.pcall('GET', key)
if type(text) == 'table' then text = '' end
if text ~= ARGV[1] then return 0 end
return redis.call('UNLINK', key)
