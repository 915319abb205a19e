select pid, xact_start
from pg_stat_activity
where datname = current_database() and application_name = 'lockstep' and pid <> pg_backend_pid() and state <> 'idle'
  and backend_type = 'client backend'
