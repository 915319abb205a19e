delete from lockstep_idempotency
where created_at <= now(6) - interval 24 hour
order by created_at
limit :limit
