exists (select from lockstep_policies where resource = :resource::text and epoch = :epoch::bigint)
