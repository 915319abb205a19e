update lockstep_keys set fence = :fence where resource = :resource and `key` = :key
