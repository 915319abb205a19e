update {{table}} as r
  set {{assignments}}
  from go {{afterBefore}}
  where {{isKey}}
  returning true as present, false as created{{columns}}
