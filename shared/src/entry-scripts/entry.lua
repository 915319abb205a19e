-- Functions that all steps share. They read and write the entry at `key`, the key of the current call. An entry is a
-- line with a JSON header, then a JSON body. Headers are written by hand because cjson keeps 14 digits and a fence has
-- 16.
local key
-- The owner of the current call's entries: CLUSTER/RESOURCE#COLUMNS; '' if the caller names none.
local owner = ''

local STATES = { value = true, lease = true, intent = true, tombstone = true }

-- Lua's numbers are exact below 2^53. This leaves some room to count fences up.
local COUNT_END = 9007199253692416

-- Whether the value is a text that can be put into a header without escaping.
local function is_name(value)
  return type(value) == 'string' and #value <= 1024 and not string.find(value, '[%c"\\]')
end

-- For an entry with another owner. Returns whether it counts as missing, and whether it belongs to another cluster.
-- Another cluster's entry always counts as missing. Within this cluster an intent never does, so that it hides the old
-- value; a value always does; a lease or tombstone does unless only the columns of the resource differ.
local function is_missing(header)
  local cluster = string.match(owner, '^[^/]*/')
  local is_foreign = string.sub(header.o, 1, #cluster) ~= cluster
  if is_foreign then return true, true end
  local is_own = string.gsub(header.o, '#%x+$', '') == string.gsub(owner, '#%x+$', '')
  return header.s == 'value' or (header.s ~= 'intent' and not is_own), false
end

-- The header in a text's first line; false, or an error, if there is none. Comparing something other than a number is
-- an error, and every comparison with NaN is false.
local function decode(text)
  local h = cjson.decode(string.sub(text, 1, string.find(text, '\n', 1, true) - 1))
  local v, f, t, i, l, p, o = h.v, h.f, h.t, h.i, h.l, h.p, h.o
  local is_header = STATES[h.s]
    and v >= 0 and v < COUNT_END and v % 1 == 0
    and f >= 0 and f < COUNT_END and f % 1 == 0
    and t >= 0 and t < COUNT_END and t % 1 == 0
    and (i == nil or is_name(i)) and (l == nil or is_name(l)) and (p == nil or is_name(p))
    and (o == nil or o == owner or is_name(o))
    and (h.s ~= 'lease' or l)
  return is_header and h
end

-- Returns the entry at the key, its text, and whether the key holds another cluster's entry, which is not touched.
-- Anything that is not an entry, or not even a string, is returned as 'corrupt' with version 0.
local function load()
  local text = redis.pcall('GET', key)
  if text == false then return nil, nil end
  if type(text) == 'table' then
    if string.find(text.err, 'WRONGTYPE', 1, true) then return { s = 'corrupt', v = 0, f = 0, t = 0 }, '' end
    error(text)
  end
  local ok, header = pcall(decode, text)
  if not ok or not header then return { s = 'corrupt', v = 0, f = 0, t = 0 }, text end
  if header.o ~= owner and header.o ~= nil and owner ~= '' then
    local is_absent, is_foreign = is_missing(header)
    if is_absent then return nil, nil, is_foreign end
  end
  return header, text
end

local now
-- The server's clock in microseconds, read once for a batch.
local function micros()
  if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  return now
end

local function put(state, version, fence, extra, body, ttl_ms, written_ms)
  local t = written_ms or math.floor(micros() / 1000)
  local whose = owner ~= '' and ',"o":"' .. owner .. '"' or ''
  local text = string.format('{"s":"%s","v":%.0f,"f":%.0f,"t":%.0f%s%s}\n%s', state, version, fence, t, whose, extra, body)
  if ttl_ms then
    redis.call('SET', key, text, 'PX', ttl_ms)
  else
    redis.call('SET', key, text)
  end
end

-- Intent ids come from coordinators and contain nothing that JSON would escape.
local function put_intent(version, fence, id, mark, written_ms)
  local named = id and ',"i":"' .. id .. '"' or ''
  put('intent', version, fence, named .. mark, 'null', nil, written_ms)
end

-- Whether the entry is exactly this intent. Comparing the fence alone would not do: if the cache lost an entry, the
-- same fence may have been minted twice.
local function is_intent(entry, id, fence)
  return entry and entry.s == 'intent' and entry.f == tonumber(fence) and (entry.i or '') == id
end

-- Whether `one` is the later of two log positions. A position is a rank, then '@' and a part that only the database
-- understands.
local function is_later(one, other)
  local a, b = string.match(one, '^%d+') or '', string.match(other, '^%d+') or ''
  if #a ~= #b then return #a > #b end
  return a > b
end

-- The position for a tombstone that replaces this entry: the later of `position` and the position of the tombstone that
-- was there, or that a lease has replaced. '' means unknown, which may be later than any other.
local function least_position(entry, position)
  if not entry or entry.s == 'value' or entry.s == 'corrupt' or position == '' then return position end
  local before = entry.p
  if entry.s == 'lease' and not before then return position end
  if type(before) ~= 'string' or before == '*' then return '' end
  return is_later(before, position) and before or position
end

-- The header's field for the tag of a row that another program changed; '' for no tag.
local function tagged(tag)
  return tag ~= '' and ',"e":"' .. tag .. '"' or ''
end

-- A number of a header's that is not always there; 0 is none.
local function count(value)
  return type(value) == 'number' and value >= 0 and value < COUNT_END and value or 0
end

-- For how long the end of a value's life in the cache is for loaders that fail only, as a header says it. 0 is none.
local function graced(grace_ms)
  return count(tonumber(grace_ms)) > 0 and string.format(',"g":%.0f', grace_ms) or ''
end

local function body_of(text)
  return string.sub(text, string.find(text, '\n', 1, true) + 1)
end

local function put_tombstone(version, fence, ttl_ms, position)
  local at = position and position ~= '' and ',"p":"' .. position .. '"' or ''
  put('tombstone', version, fence, at, 'null', ttl_ms)
end

-- The fields of the messages that the calls of this batch make, by owner.
local messages = {}

-- The call invalidates its entry, whatever stands there: a client may remember what the cache has lost.
local function note_invalidation()
  if owner == '' then return end
  local fields = messages[owner] or {}
  fields[#fields + 1] = 'k'
  fields[#fields + 1] = key
  messages[owner] = fields
end

local function append_messages()
  for each, fields in pairs(messages) do append_message(each, fields) end
end
