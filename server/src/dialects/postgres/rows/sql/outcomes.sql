-- name: find
select request_hash, resource, key, result
from lockstep_idempotency
where idempotency_key = :idempotency_key and created_at > now() - interval '24 hours'

-- name: delete-old
delete from lockstep_idempotency
where idempotency_key = :idempotency_key and created_at <= now() - interval '24 hours'

-- name: prune
delete from lockstep_idempotency
where idempotency_key in (
  select idempotency_key from lockstep_idempotency
  where created_at <= now() - interval '24 hours'
  order by created_at
  limit :limit
  for update skip locked
)

-- name: add-refusal
insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
values (:idempotency_key, :request_hash, :resource, :key, :result)
on conflict (idempotency_key) do nothing

-- name: with-refusal
,
recorded as (
  insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
  select :idempotency_key, :request_hash, :resource::text, :key::text, :result::json from raised
  on conflict (idempotency_key) do nothing
)

-- name: add
insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
values (:idempotency_key, :request_hash, :resource, :key, :result)
