-- Rows go in the order in which they came, all day. Vacuum runs by count and not by share, so that whoever removes the
-- oldest rows does not have to pass over millions that are gone already.
alter table lockstep_idempotency set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000);

-- down
alter table lockstep_idempotency reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
