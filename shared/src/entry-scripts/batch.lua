-- Carries out the calls of a batch in order. A call that fails does not affect the others; its answer is the error.
-- KEYS: the key of each call. ARGV: the arguments of all calls, one call after the other; each call's last is the
-- owner.
if #KEYS == 1 then
  key, owner = KEYS[1], ARGV[#ARGV]
  local answer = step(ARGV)
  append_messages()
  return { answer }
end
local answers, width = {}, #ARGV / #KEYS
for index = 1, #KEYS do
  key, owner = KEYS[index], ARGV[index * width]
  local ok, answer = pcall(step, { unpack(ARGV, (index - 1) * width + 1, index * width) })
  if not ok then answer = { err = type(answer) == 'table' and answer.err or tostring(answer) } end
  answers[index] = answer
end
append_messages()
return answers
