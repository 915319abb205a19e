insert into lockstep_policies (resource, epoch, is_settled, definition)
values (:resource, 1, false, :definition)
on conflict (resource) do nothing
