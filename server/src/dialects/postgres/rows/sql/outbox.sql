-- name: add-row
insert into lockstep_outbox (resource, key, version, related)
values (:resource::text, :key::text, :version::bigint, :related::json)
returning id

-- name: add-second-delete
insert into lockstep_outbox (resource, key, version, related, due_at, retry_at)
select :resource::text, :key::text, :version::bigint, :related::json, due.at, due.at
from (select clock_timestamp() + :second_delete_after_ms::float8 * interval '1 millisecond' as at) as due

-- name: add-cache-keys
insert into lockstep_outbox (resource, key, cache_key)
select '', '', cache_key from unnest(:cache_keys::text[]) as cache_key
returning id
