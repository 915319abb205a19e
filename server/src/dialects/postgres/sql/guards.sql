-- name: add
insert into lockstep_guards (fence, resource, key, guard, row_resource, row_key, has_others)
select fence, resource, key, guard, row_resource, row_key, has_others
from json_to_recordset(:guards::json) as asked (
  fence bigint, resource text, key text, guard text, row_resource text, row_key text, has_others boolean
)

-- name: list-calls
select resource, key, fence, version from lockstep_guards where guard = :guard::text

-- name: remove
delete from lockstep_guards as g
using json_to_recordset(:guards::json) as asked (fence bigint, resource text, key text)
where g.fence = asked.fence and g.resource = asked.resource and g.key = asked.key

-- name: list-old
select fence, resource, key from lockstep_guards
where created_at < clock_timestamp() - interval '24 hours' limit :limit
