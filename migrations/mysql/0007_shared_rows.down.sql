drop table lockstep_shared_rows;
