alter table lockstep_keys drop column row_digest;
