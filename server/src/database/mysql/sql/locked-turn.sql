-- The key's row, which the turn has locked, whether the policy is still the writer's, and the row itself, locked here.
select k.version, k.fence, k.row_digest, {{present}}, {{isHeld}}, {{columns}}
from lockstep_keys as k
left join {{table}} as r on {{isKey}}
where k.resource = :resource and k.`key` = :key
for update
