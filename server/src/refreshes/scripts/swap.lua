-- Replaces a generation of a refreshed table by the next one, in one step.
-- KEYS: the generation, its members, the keys of the new entries, the keys of entries to remove.
-- ARGV: the number of the generation that must be there, how many new entries there are, their life in ms, the time in
-- ms from which on tombstones stay, 'raw' or 'entry', the entries' owner or '', then version, tag or '' and body of
-- each entry.
-- Answers -1 if another generation is there, else how many entries were removed.
local entries, life, since, format = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local whose = ARGV[6] ~= '' and ',"o":"' .. ARGV[6] .. '"' or ''
if tonumber(redis.call('HGET', KEYS[1], 'generation') or 0) ~= tonumber(ARGV[1]) then return -1 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- A write intent stays, and so does a tombstone that is younger than the beginning of this refresh.
local function stays(key)
  if format == 'raw' then return false end
  local text = redis.pcall('GET', key)
  if type(text) ~= 'string' or string.sub(text, 1, 12) == '{"s":"value"' then return false end
  local newline = string.find(text, '\n', 1, true)
  if not newline then return false end
  local ok, header = pcall(cjson.decode, string.sub(text, 1, newline - 1))
  if not ok or type(header) ~= 'table' then return false end
  return header.s == 'intent' or header.s == 'tombstone' and (tonumber(header.t) or 0) >= since
end

for index = 1, entries do
  local key = KEYS[2 + index]
  if not stays(key) then
    local text = ARGV[6 + 3 * index]
    if format == 'entry' then
      local tag = ARGV[5 + 3 * index]
      local tagged = tag ~= '' and ',"e":"' .. tag .. '"' or ''
      text = string.format('{"s":"value","v":%s,"f":0,"t":%.0f%s%s}\n%s', ARGV[4 + 3 * index], now, whose, tagged, text)
    end
    redis.call('SET', key, text, 'PX', life)
  end
  redis.call('SADD', KEYS[2], key)
end
local gone = 0
for index = 3 + entries, #KEYS do
  if not stays(KEYS[index]) then gone = gone + redis.call('UNLINK', KEYS[index]) end
  redis.call('SREM', KEYS[2], KEYS[index])
end
local number = string.format('%.0f', tonumber(ARGV[1]) + 1)
redis.call('HSET', KEYS[1], 'generation', number, 'entries', entries, 'at_ms', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], life)
redis.call('PEXPIRE', KEYS[2], life * 2)
if ARGV[6] ~= '' then append_message(ARGV[6], { 'a', '1' }) end
return gone
