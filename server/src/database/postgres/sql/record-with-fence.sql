,
recorded as (
  insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
  select :idempotency_key, :request_hash, :resource::text, :key::text, :result::json from raised
  on conflict (idempotency_key) do nothing
)
