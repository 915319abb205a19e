-- A reader's miss. ARGV: lease id, lease TTL in ms.
-- Answers {'leased', least version, position} | {'busy', least version, position} | {'found', text}. `position` is the
-- log position that a fill must have reached: '' if nothing was there, '*' if it is unknown.
local entry, text = load()
if entry and (entry.s == 'value' or entry.s == 'intent') then return { 'found', text } end
if entry and entry.s == 'lease' then return { 'busy', entry.v, entry.p or '' } end
local version, fence, position = 0, 0, ''
if entry then
  version, fence = entry.v, entry.f
  position = type(entry.p) == 'string' and entry.p or '*'
end
local at = position ~= '' and ',"p":"' .. position .. '"' or ''
put('lease', version, fence, ',"l":"' .. ARGV[1] .. '"' .. at, 'null', ARGV[2])
return { 'leased', version, position }
