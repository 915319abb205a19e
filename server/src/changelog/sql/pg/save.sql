update lockstep_changelog
set log_position = :position, sweeps = :sweeps, lag_ms = :lagMs, saved_at = clock_timestamp()
where name = :name and holder = :holder
