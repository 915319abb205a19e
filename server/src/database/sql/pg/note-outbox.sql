,
noted as (
  insert into lockstep_outbox (resource, key, version, related)
  select :resource::text, :key::text, go.version, {{related}}
  from go
  join changed on true {{joinBefore}}
  returning id
)
