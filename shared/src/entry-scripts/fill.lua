-- A reader's fill. ARGV: lease id, version, TTL in ms, body, the log position that the read had reached, the log
-- position from which on everything includes the read (each '' if unknown), the row's tag or '', for how many ms of the TTL the
-- value is only for loaders that fail. Answers 1 if it filled, else 0. The lease may stand in a value: see lease-refresh.
local entry = load()
local may_lease = entry and (entry.s == 'lease' or entry.s == 'value')
if not may_lease or entry.l ~= ARGV[1] or tonumber(ARGV[2]) < entry.v then return 0 end
local reached = ARGV[5] ~= '' and ',"p":"' .. ARGV[5] .. '"' or ''
local up_to = ARGV[6] ~= '' and ',"u":"' .. ARGV[6] .. '"' or ''
put('value', tonumber(ARGV[2]), entry.f, reached .. up_to .. tagged(ARGV[7]) .. graced(ARGV[8]), ARGV[4], ARGV[3])
return 1
