drop table lockstep_refreshes;

drop table lockstep_policies;

alter table lockstep_outbox drop column due_at;
