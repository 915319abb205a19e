-- name: complete
update lockstep_policies set is_settled = true where resource = :resource and epoch = :epoch

-- name: list
select resource, epoch, is_settled, definition from lockstep_policies

-- name: lock
select resource, epoch, is_settled, definition from lockstep_policies where resource = :resource for update

-- name: store-definition
update lockstep_policies set definition = :definition where resource = :resource

-- name: switch
update lockstep_policies
set epoch = epoch + 1, is_settled = false, definition = :definition, switched_at = current_timestamp(6)
where resource = :resource
