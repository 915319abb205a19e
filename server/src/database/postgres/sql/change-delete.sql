delete from {{table}} as r
  where {{isKey}} and {{turn}} is not null {{unchanged}}
  returning true as present{{columns}}
