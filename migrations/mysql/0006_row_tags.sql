-- A digest of the key's row as Lockstep's last write left it; null where it left none. A row with another one was
-- changed by another program since.
alter table lockstep_keys add column row_digest binary(16);

-- down
alter table lockstep_keys drop column row_digest;
