select version, fence from lockstep_keys where resource = :resource and `key` = :key for update
