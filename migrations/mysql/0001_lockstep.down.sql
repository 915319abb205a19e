drop table if exists lockstep_idempotency;

drop table if exists lockstep_dead_letters;

drop table if exists lockstep_outbox;

drop table if exists lockstep_keys;
