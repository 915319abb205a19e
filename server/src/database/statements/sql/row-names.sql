select id, name from lockstep_shared_rows
