delete from lockstep_idempotency
where idempotency_key = :idempotency_key and created_at <= now() - interval '24 hours'
