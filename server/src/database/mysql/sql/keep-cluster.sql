insert into lockstep_cluster (place, name) values (1, :name) on duplicate key update place = place
