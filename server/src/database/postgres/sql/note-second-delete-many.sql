,
noted_again as (
  insert into lockstep_outbox (resource, key, version, due_at, retry_at)
  select :resource::text, changed.key, changed.version, due.at, due.at
  from changed
  cross join (select clock_timestamp() + :second_delete_after_ms::float8 * interval '1 millisecond' as at) as due
)
