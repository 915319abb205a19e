insert into lockstep_bypassed as b (table_name, changes)
values (:table, :changes)
on conflict (table_name) do update
  set changes = b.changes + excluded.changes, last_at = excluded.last_at
