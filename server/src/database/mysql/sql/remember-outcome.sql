insert into lockstep_idempotency (idempotency_key, request_hash, resource, `key`, result, created_at)
values (:idempotency_key, :request_hash, :resource, :key, :result, now(6))
