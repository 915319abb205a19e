-- name: add
-- Not `insert ignore`: on an existing row it takes a shared lock, and two sessions that both go on to lock the row
-- exclusively would deadlock.
insert into lockstep_policies (resource, epoch, is_settled, definition, switched_at)
values (:resource, 1, false, :definition, now(6))
on duplicate key update resource = resource
