drop table lockstep_cluster;
