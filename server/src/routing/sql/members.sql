-- name: delete
delete from lockstep_members where instance = :instance
