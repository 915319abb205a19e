-- name: delete
delete from lockstep_shared_servers where instance = :instance
