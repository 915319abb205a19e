insert into lockstep_bypassed (table_name, changes, last_at)
values (:table, :changes, now(6))
on duplicate key update changes = changes + :changes, last_at = now(6)
