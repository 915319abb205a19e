select log_position, sweeps from lockstep_changelog where name = :name
