-- One statement is one snapshot: the version is that of the row.
select k.version, k.fence, k.row_digest, {{present}}{{columns}}
from (select 1 as one) as one
left join lockstep_keys as k on k.resource = :resource and k.`key` = :key
left join {{table}} as r on {{isKey}}
