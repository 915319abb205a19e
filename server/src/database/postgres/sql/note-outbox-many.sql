,
noted as (
  insert into lockstep_outbox (resource, key, version)
  select :resource::text, changed.key, changed.version from changed
  returning id, key
)
