-- Tells the readers of these invalidation streams to forget all values that they keep.
-- ARGV: CLUSTER/RESOURCE of each stream.
for _, owner in ipairs(ARGV) do append_message(owner, { 'a', '1' }) end
return #ARGV
