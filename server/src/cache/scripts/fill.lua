-- A reader's fill. ARGV: lease id, version, TTL in ms, body. Answers 1 where it filled, 0 where it was refused.
local entry = load()
if not entry or entry.s ~= 'lease' or entry.l ~= ARGV[1] or tonumber(ARGV[2]) < entry.v then return 0 end
put('value', tonumber(ARGV[2]), entry.f, '', ARGV[4], ARGV[3])
return 1
