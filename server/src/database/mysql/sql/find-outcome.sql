select request_hash, resource, `key`, result
from lockstep_idempotency
where idempotency_key = :idempotency_key and created_at > now(6) - interval 24 hour
