-- One row: the name of this database's cluster. It distinguishes the clusters, and their entries, on one cache.
create table lockstep_cluster (
  place integer primary key check (place = 1),
  name text not null,
  made_at timestamptz not null default clock_timestamp()
);

-- down
drop table lockstep_cluster;
