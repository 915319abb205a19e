-- The columns that related cache keys are made of, as the change will find them: locked, and the newest there are.
before as materialized (
  select true as present{{columns}}
  from {{table}} as r
  where {{isKey}} and {{turn}} is not null
  for no key update of r
),
