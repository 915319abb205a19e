insert into lockstep_changelog as log (name, holder)
values (:name, :holder)
on conflict (name) do update set holder = excluded.holder
returning log_position, sweeps
