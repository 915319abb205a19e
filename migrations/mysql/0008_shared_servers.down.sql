drop table lockstep_shared_servers;
