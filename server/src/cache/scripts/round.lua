-- Carries out a round of calls in their order, each for itself; one that fails answers its error.
-- KEYS: the key of each. ARGV: the arguments of each, one after the other.
if #KEYS == 1 then
  key = KEYS[1]
  return { step(ARGV) }
end
local answers, width = {}, #ARGV / #KEYS
for index = 1, #KEYS do
  key = KEYS[index]
  local ok, answer = pcall(step, { unpack(ARGV, (index - 1) * width + 1, index * width) })
  if not ok then answer = { err = type(answer) == 'table' and answer.err or tostring(answer) } end
  answers[index] = answer
end
return answers
