-- name: append
insert into lockstep_outbox (resource, key, cache_key)
select item.resource, item.key, item.cache_key
from json_to_recordset(:items::json) as item (resource text, key text, cache_key text)

-- name: add-dead-letter
insert into lockstep_dead_letters (id, resource, key, version, cache_key, related, attempts, created_at, error)
select id, resource, key, version, cache_key, related, attempts, created_at, :error
from lockstep_outbox
where id = :id

-- name: list-dead-letters
select
  id, resource, coalesce(called_key::text, key) as key, version, cache_key, attempts, error,
  (extract(epoch from created_at) * 1000)::bigint as created_at_ms
from lockstep_dead_letters
order by id desc
limit :limit

-- name: postpone
update lockstep_outbox
set retry_at = clock_timestamp() + :delay_ms::float8 * interval '1 millisecond',
    attempts = attempts + :counted::integer,
    error = :error
where id = :id

-- name: depth
-- A second delete counts once it is due. Calls of lockstep_invalidate are cache steps too.
select
  (select count(*)
    from (
      (select from lockstep_outbox where due_at is null or due_at <= now() limit :bound)
      union all
      (select from lockstep_invalidations limit :bound)
    ) as counted) as depth,
  (select (extract(epoch from clock_timestamp() - min(oldest.since)) * 1000)::bigint
    from (
      (select coalesce(due_at, created_at) as since
        from lockstep_outbox where due_at is null or due_at <= now() order by id limit 1)
      union all
      (select created_at from lockstep_invalidations order by due_at limit 1)
    ) as oldest) as oldest_ms,
  (select count(*) from (select from lockstep_dead_letters limit :bound) as counted) as dead_letters

-- name: delete
-- Skips rows that a relay has locked: the relay removes them.
delete from lockstep_outbox
where id in (select id from lockstep_outbox where id = any(:ids::bigint[]) for update skip locked)

-- name: lock-batch
select
  id, resource, key, version, cache_key, related, attempts,
  (extract(epoch from now() - coalesce(due_at, created_at)) * 1000)::bigint as age_ms
from lockstep_outbox
where
  case
    when retry_at is null then created_at <= now() - :grace_ms::float8 * interval '1 millisecond'
    else retry_at <= now()
  end
order by id
limit :limit
for update skip locked

-- name: retry-called
insert into lockstep_invalidations (resource, key)
select resource, called_key
from lockstep_dead_letters
where id = :id and called_key is not null
