exists (select from lockstep_policies where resource = :policy::text and epoch = :epoch::bigint)
