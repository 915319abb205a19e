select resource, epoch, is_settled, definition from lockstep_policies where resource = :resource for update
