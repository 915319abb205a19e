drop table lockstep_members;
