-- Makes and locks the rows of several keys, in one order whoever asks, and answers what they hold now.
insert into lockstep_keys as k (resource, key)
select asked.resource, asked.key
from unnest(:resources::text[], :keys::text[]) as asked (resource, key)
order by asked.resource collate "C", asked.key collate "C"
on conflict (resource, key) do update set fence = k.fence
returning k.resource, k.key, k.version, k.fence
