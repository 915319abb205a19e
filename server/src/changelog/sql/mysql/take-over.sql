insert into lockstep_changelog (name, holder, sweeps, saved_at)
values (:name, :holder, '', now(6))
on duplicate key update holder = :holder
