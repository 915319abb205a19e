-- name: read-cluster
select name from lockstep_cluster

-- name: list-row-names
select id, name from lockstep_shared_rows

-- name: list-earlier-resources
select resource from lockstep_policies
