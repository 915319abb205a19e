-- name: list-due
select id, resource, `key`, changes, attempts, timestampdiff(microsecond, created_at, utc_timestamp(6)) div 1000 as age_ms
from lockstep_invalidations
where due_at <= utc_timestamp(6)
order by due_at
limit :limit

-- name: list-left
select id, resource, `key`, changes, attempts, timestampdiff(microsecond, created_at, utc_timestamp(6)) div 1000 as age_ms
from lockstep_invalidations
where created_at <= utc_timestamp(6) - interval :grace_ms * 1000 microsecond
  and (due_at <= utc_timestamp(6) or is_unknown)
limit :limit

-- name: delete
delete from lockstep_invalidations where id in (:ids)

-- name: postpone
update lockstep_invalidations
set due_at = utc_timestamp(6) + interval :delay_ms * 1000 microsecond,
    attempts = attempts + :counted,
    is_unknown = :is_unknown,
    error = :error
where id in (:ids)

-- name: add-dead-letter
insert into lockstep_dead_letters (resource, `key`, called_key, attempts, created_at, died_at, error)
select
  resource, '', `key`, attempts, now(6) - interval timestampdiff(microsecond, created_at, utc_timestamp(6)) microsecond,
  now(6), :error
from lockstep_invalidations
where id in (:ids)
