-- One statement is one snapshot: the version is that of the row.
select k.version, k.fence, {{present}}, {{changedBy}}, {{nextXid}}{{columns}}
from (select) as one
left join lockstep_keys as k on k.resource = :resource::text and k.key = :key::text
left join {{table}} as r on {{isKey}}
