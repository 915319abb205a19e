-- Old rows are removed all day, oldest first. Vacuum runs after a fixed number of removed rows rather than a share of
-- the table, so that the next removal does not have to pass over millions of rows that are already removed.
alter table lockstep_idempotency set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000);

-- down
alter table lockstep_idempotency reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
