insert ignore into lockstep_policies (resource, epoch, is_settled, definition, switched_at)
values (:resource, 1, false, :definition, now(6))
