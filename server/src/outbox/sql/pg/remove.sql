-- A row that a relay holds is left to it.
delete from lockstep_outbox
where id in (select id from lockstep_outbox where id = any(:ids::bigint[]) for update skip locked)
