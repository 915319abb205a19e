-- Carries out a round of calls in their order, each for itself; one that fails answers its error.
-- KEYS: the key of each. ARGV: the arguments of each, one after the other; the last of each is the owner.
if #KEYS == 1 then
  key, owner = KEYS[1], ARGV[#ARGV]
  return { step(ARGV) }
end
local answers, width = {}, #ARGV / #KEYS
for index = 1, #KEYS do
  key, owner = KEYS[index], ARGV[index * width]
  local ok, answer = pcall(step, { unpack(ARGV, (index - 1) * width + 1, index * width) })
  if not ok then answer = { err = type(answer) == 'table' and answer.err or tostring(answer) } end
  answers[index] = answer
end
return answers
