-- A loader failed: its lease goes. ARGV: lease id. Answers 1 where it still stood there.
local entry, text = load()
if not entry or entry.l ~= ARGV[1] then return 0 end
if entry.s == 'value' then
  local left_ms = redis.call('PTTL', key)
  put('value', entry.v, entry.f, graced(entry.g), body_of(text), left_ms > 0 and left_ms or nil, entry.t)
  return 1
end
if entry.s ~= 'lease' then return 0 end
-- No tombstone has to come back: no replica answers for a computed resource.
redis.call('UNLINK', key)
return 1
