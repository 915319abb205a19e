-- Transactions that are still under way may change rows yet: only what is below all of them is over.
insert into lockstep_tables (name, pristine_below)
values (:name, pg_snapshot_xmin(pg_current_snapshot()))
on conflict (name) do nothing
