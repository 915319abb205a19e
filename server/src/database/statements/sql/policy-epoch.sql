select epoch from lockstep_policies where resource = :resource
