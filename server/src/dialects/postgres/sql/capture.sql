-- name: ask-for-sweeps
insert into lockstep_invalidations (resource, key)
select resource, '[]' from lockstep_policies where resource = any(:names::text[])
