,
noted as (
  insert into lockstep_outbox (resource, key, version, related)
  select :resource::text, :key::text, (select version from turn), {{related}}
  from changed {{joinBefore}}
  returning id
)
