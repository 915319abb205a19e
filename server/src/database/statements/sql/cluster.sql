select name from lockstep_cluster
