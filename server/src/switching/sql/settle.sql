update lockstep_policies set is_settled = true where resource = :resource and epoch = :epoch
