delete from {{table}} as r
  using go
  where {{isKey}}
  returning true as present, false as created{{columns}}
