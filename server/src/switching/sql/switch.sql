update lockstep_policies
set epoch = epoch + 1, is_settled = false, definition = :definition, switched_at = current_timestamp(6)
where resource = :resource
