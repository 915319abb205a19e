-- name: add
-- Not `insert ignore`: that shares the row where it is there, and two who then want it alone wait for each other.
insert into lockstep_policies (resource, epoch, is_settled, definition, switched_at)
values (:resource, 1, false, :definition, now(6))
on duplicate key update resource = resource
