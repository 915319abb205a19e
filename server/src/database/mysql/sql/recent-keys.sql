select `key` from lockstep_keys where resource = :resource order by written_at desc limit :count
