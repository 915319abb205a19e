-- A reader's miss. ARGV: lease id, lease TTL in ms.
-- Answers {'leased', least version} | {'busy', least version} | {'found', text}.
local entry, text = load()
if entry and (entry.s == 'value' or entry.s == 'intent') then return { 'found', text } end
if entry and entry.s == 'lease' then return { 'busy', entry.v } end
local version, fence = 0, 0
if entry then version, fence = entry.v, entry.f end
put('lease', version, fence, ',"l":"' .. ARGV[1] .. '"', 'null', ARGV[2])
return { 'leased', version }
