select `key`, version, fence from lockstep_keys where resource = :resource and `key` in (:keys)
