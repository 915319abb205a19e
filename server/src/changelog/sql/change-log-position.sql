-- name: list-bypassed
select
  table_name,
  changes,
  {{ageMs last_at}} as ago_ms
from lockstep_bypassed
order by changes desc, table_name
limit :limit

-- name: ping
select 1

-- name: save
update lockstep_changelog
set
  log_position = :position,
  sweeps = :sweeps,
  followed = coalesce(:followed, followed),
  lag_ms = :lagMs,
  saved_at = {{clock}}
where name = :name and holder = :holder

-- name: read-status
select
  {{ageMs saved_at}} as saved_ago_ms,
  lag_ms,
  followed
from lockstep_changelog
where name = :name and log_position is not null
