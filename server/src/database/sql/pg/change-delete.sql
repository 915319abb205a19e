delete from {{table}} as r
  where {{isKey}} and {{turn}} is not null
  returning true as present{{columns}}
