-- One row: the name of this database's cluster. It distinguishes the clusters, and their entries, on one cache.
create table lockstep_cluster (
  place tinyint not null primary key,
  name varchar(40) not null,
  made_at timestamp not null default current_timestamp
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table lockstep_cluster;
