-- name: ask-for-sweeps
insert into lockstep_invalidations (resource, `key`, created_at)
select resource, '[]', utc_timestamp(6) from lockstep_policies where resource in (:names)
