,
remembered as (
  insert into lockstep_idempotency (idempotency_key, request_hash, resource, key, result)
  select :idempotency_key::text, :request_hash::text, :resource::text, :key::text,
    json_build_object(
      'status', 'applied',
      'created', {{created}},
      'version', (select version from turn),
      'fence', {{fence}}::bigint,
      'columns', :column_types::json,
      'row', {{values}}
    )
  from changed
)
