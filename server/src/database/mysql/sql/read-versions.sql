select `key`, version, fence, row_digest from lockstep_keys where resource = :resource and `key` in (:keys)
