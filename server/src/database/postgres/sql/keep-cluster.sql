insert into lockstep_cluster (place, name) values (1, :name) on conflict do nothing
