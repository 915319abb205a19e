-- A digest of the row as Lockstep's last write left it; null if that write deleted it. If the row's digest is
-- different, another program has changed the row since.
alter table lockstep_keys add column row_digest binary(16);

-- down
alter table lockstep_keys drop column row_digest;
