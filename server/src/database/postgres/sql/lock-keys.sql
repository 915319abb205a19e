-- Locks the rows of several keys, in one order whoever asks, and answers what they hold now.
select k.resource, k.key, k.version, k.fence
from unnest(:resources::text[], :keys::text[]) as asked (resource, key)
join lockstep_keys as k on k.resource = asked.resource and k.key = asked.key
order by k.resource, k.key
for no key update of k
