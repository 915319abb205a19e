insert into lockstep_keys (resource, key)
select asked.resource, asked.key
from unnest(:resources::text[], :keys::text[]) as asked (resource, key)
order by asked.resource collate "C", asked.key collate "C"
on conflict (resource, key) do nothing
