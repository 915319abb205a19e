update {{table}} as r
  set {{assignments}}
  where {{isKey}} and {{turn}} is not null {{afterBefore}} {{unchanged}}
  returning true as present{{columns}}
