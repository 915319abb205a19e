-- Held until the commit: who switches the policy waits for the writes of the old one.
select 1 from lockstep_policies where resource = :name and epoch = :epoch lock in share mode
