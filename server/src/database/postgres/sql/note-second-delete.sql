,
noted_again as (
  insert into lockstep_outbox (resource, key, version, related, due_at, retry_at)
  select :resource::text, :key::text, (select version from turn), {{related}}, due.at, due.at
  from changed {{joinBefore}}
  cross join (select clock_timestamp() + :second_delete_after_ms::float8 * interval '1 millisecond' as at) as due
)
