-- name: add
insert into lockstep_policies (resource, epoch, is_settled, definition)
values (:resource, 1, false, :definition)
on conflict (resource) do nothing

-- name: list-running-statements
select pid, xact_start
from pg_stat_activity
where datname = current_database() and application_name = 'lockstep' and pid <> pg_backend_pid() and state <> 'idle'
  and backend_type = 'client backend'
