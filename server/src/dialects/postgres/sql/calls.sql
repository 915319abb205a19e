-- name: list-due
select id, resource, key, changes, attempts, (extract(epoch from clock_timestamp() - created_at) * 1000)::bigint as age_ms
from lockstep_invalidations
where due_at <= clock_timestamp()
order by due_at
limit :limit

-- name: list-left
select id, resource, key, changes, attempts, (extract(epoch from clock_timestamp() - created_at) * 1000)::bigint as age_ms
from lockstep_invalidations
where created_at <= clock_timestamp() - :grace_ms::float8 * interval '1 millisecond'
  and (due_at <= clock_timestamp() or is_unknown)
limit :limit

-- name: delete
delete from lockstep_invalidations where id = any(:ids::uuid[])

-- name: postpone
update lockstep_invalidations
set due_at = clock_timestamp() + :delay_ms::float8 * interval '1 millisecond',
    attempts = attempts + :counted::integer,
    is_unknown = :is_unknown::integer = 1,
    error = :error
where id = any(:ids::uuid[])

-- name: add-dead-letter
insert into lockstep_dead_letters (resource, key, called_key, attempts, created_at, error)
select resource, '', key, attempts, created_at, :error
from lockstep_invalidations
where id = any(:ids::uuid[])
