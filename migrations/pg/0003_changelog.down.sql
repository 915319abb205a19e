drop table lockstep_bypassed;

drop table lockstep_changelog;
