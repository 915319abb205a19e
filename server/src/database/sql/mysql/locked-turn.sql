-- The key's row, which the turn has locked, and the row itself, locked here, as they are now.
select k.version, k.fence, k.row_digest, {{present}}, {{columns}}
from lockstep_keys as k
left join {{table}} as r on {{isKey}}
where k.resource = :resource and k.`key` = :key
for update
