insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
values (:idempotency_key, :request_hash, :resource, :key, :result)
on conflict (idempotency_key) do nothing
