delete from lockstep_outbox where id in (:ids)
