-- One statement is one snapshot for all keys.
select k.version, k.fence, {{present}}, {{changedBy}}, {{nextXid}}{{columns}}
from unnest(:keys::text[]{{partArrays}}) with ordinality as asked (key{{partNames}}, place)
left join lockstep_keys as k on k.resource = :resource::text and k.key = asked.key
left join {{table}} as r on {{isKey}}
order by asked.place
