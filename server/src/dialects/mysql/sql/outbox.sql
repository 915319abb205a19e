-- name: append
insert into lockstep_outbox (resource, `key`, cache_key, created_at)
select item.resource, item.row_key, item.cache_key, now(6)
from json_table(:items, '$[*]' columns (
  resource varchar(128) character set utf8mb4 path '$.resource',
  row_key varchar(2048) character set utf8mb4 path '$.key',
  cache_key longtext character set utf8mb4 path '$.cache_key'
)) as item

-- name: add-dead-letter
insert into lockstep_dead_letters
  (id, resource, `key`, version, cache_key, related, attempts, created_at, died_at, error)
select id, resource, `key`, version, cache_key, related, attempts, created_at, now(6), :error
from lockstep_outbox
where id = :id

-- name: list-dead-letters
select
  id, resource, coalesce(called_key, `key`) as `key`, version, cache_key, attempts, error,
  floor(unix_timestamp(created_at) * 1000) as created_at_ms
from lockstep_dead_letters
order by id desc
limit :limit

-- name: postpone
update lockstep_outbox
set retry_at = now(6) + interval :delay_ms * 1000 microsecond,
    attempts = attempts + :counted,
    error = :error
where id = :id

-- name: depth
-- A second delete counts once it is due. Calls of lockstep_invalidate are cache steps too.
select
  (select count(*)
    from (select 1 from lockstep_outbox where due_at is null or due_at <= now(6) limit :bound) as counted)
  + (select count(*) from (select 1 from lockstep_invalidations limit :bound) as called) as depth,
  (select max(oldest.age_ms)
    from (
      (select timestampdiff(microsecond, coalesce(due_at, created_at), now(6)) div 1000 as age_ms
        from lockstep_outbox where due_at is null or due_at <= now(6) order by id limit 1)
      union all
      (select timestampdiff(microsecond, created_at, utc_timestamp(6)) div 1000
        from lockstep_invalidations order by due_at limit 1)
    ) as oldest) as oldest_ms,
  (select count(*) from (select 1 from lockstep_dead_letters limit :bound) as counted) as dead_letters

-- name: lock
select id from lockstep_outbox where id in (:ids) for update skip locked

-- name: delete
delete from lockstep_outbox where id in (:ids)

-- name: lock-batch
select
  id, resource, `key`, version, cache_key, related, attempts,
  timestampdiff(microsecond, coalesce(due_at, created_at), now(6)) div 1000 as age_ms
from lockstep_outbox
where
  case
    when retry_at is null then created_at <= now(6) - interval :grace_ms * 1000 microsecond
    else retry_at <= now(6)
  end
order by id
limit :limit
for update skip locked

-- name: retry-called
insert into lockstep_invalidations (resource, `key`, created_at)
select resource, called_key, utc_timestamp(6)
from lockstep_dead_letters
where id = :id and called_key is not null
