update lockstep_refreshes set phase = 'swapping', row_count = :rows where resource = :resource
