select id from lockstep_outbox where id in (:ids) for update skip locked
