delete from lockstep_idempotency
where idempotency_key in (
  select idempotency_key from lockstep_idempotency
  where created_at <= now() - interval '24 hours'
  order by created_at
  limit :limit
  for update skip locked
)
